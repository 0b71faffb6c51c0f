//! A layer's product with its inputs, in an order of additions that does not depend on how many rows there are.

use pulp::{Arch, Simd, WithSimd};

/// Rows that share each load of a weight.
const ROWS_TOGETHER: usize = 6;
/// Outputs up to which each is a dot product of its own: fewer than make a vector.
const MOST_DOTS: usize = 4;

/// A layer's weights and biases, laid out for the processor that this runs on.
///
/// Every output is one chain of fused multiply-adds over the inputs in their order, whether one row goes through or
/// thousands do. So a row has the same answer, bit for bit, alone and in every batch, and explanations of it add up.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    n_in: usize,
    /// Few outputs: shape `[n_out, n_in]`. Otherwise panels of two vectors of columns each, shapes `[n_in, panel]`, the last
    /// one filled up with zeros.
    weight: Vec<f32>,
    pub(crate) bias: Vec<f32>,
}

impl Layer {
    /// A layer of weights of shape `[n_in, n_out]`.
    pub(crate) fn new(weight: &[f32], bias: &[f32]) -> Self {
        let n_out = bias.len();
        let n_in = weight.len() / n_out;
        let laid_out = if n_out <= MOST_DOTS {
            (0..n_out).flat_map(|out| weight.iter().skip(out).step_by(n_out)).copied().collect()
        } else {
            let panel = Arch::new().dispatch(PanelWidth);
            let column =
                |input: usize, column: usize| if column < n_out { weight[input * n_out + column] } else { 0.0 };
            let starts = (0..n_out).step_by(panel);
            let inputs = starts.flat_map(|start| (0..n_in).map(move |input| (start, input)));
            inputs.flat_map(|(start, input)| (start..start + panel).map(move |at| column(input, at))).collect()
        };
        Self { n_in, weight: laid_out, bias: bias.to_vec() }
    }

    /// `out = bias + input weight`, for `input` of `[n_rows, n_in]` and `out` of `[n_rows, n_out]`.
    pub(crate) fn apply(&self, input: &[f32], out: &mut [f32]) {
        Arch::new().dispatch(Product { layer: self, input, out, adds: false });
    }

    /// `out += input weight`, for the same shapes.
    pub(crate) fn add(&self, input: &[f32], out: &mut [f32]) {
        Arch::new().dispatch(Product { layer: self, input, out, adds: true });
    }
}

/// The number of columns of a panel.
struct PanelWidth;

impl WithSimd for PanelWidth {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        2 * S::F32_LANES
    }
}

struct Product<'a> {
    layer: &'a Layer,
    input: &'a [f32],
    out: &'a mut [f32],
    /// Whether it is added to what `out` holds, instead of to the bias.
    adds: bool,
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Layer { n_in, weight, bias } = self.layer;
        let (n_in, n_out) = (*n_in, bias.len());
        if n_out <= MOST_DOTS {
            for (input, out) in self.input.chunks_exact(n_in).zip(self.out.chunks_exact_mut(n_out)) {
                for ((weight, bias), out) in weight.chunks_exact(n_in).zip(bias).zip(out) {
                    let start = if self.adds { *out } else { *bias };
                    *out = start + dot(simd, input, weight);
                }
            }
            return;
        }
        let bias = (!self.adds).then_some(bias.as_slice());
        let tiles = self.input.len() / n_in / ROWS_TOGETHER * ROWS_TOGETHER;
        let (input, input_rest) = self.input.split_at(tiles * n_in);
        let (out, out_rest) = self.out.split_at_mut(tiles * n_out);
        // One panel stays in the nearest cache while all rows pass it.
        for (index, panel) in weight.chunks_exact(n_in * 2 * S::F32_LANES).enumerate() {
            let tiles = input.chunks_exact(ROWS_TOGETHER * n_in).zip(out.chunks_exact_mut(ROWS_TOGETHER * n_out));
            for (input, out) in tiles {
                add_tile(simd, input, vectors::<S>(panel), columns::<S>(index, n_out), bias, out);
            }
        }
        for (input, out) in input_rest.chunks_exact(n_in).zip(out_rest.chunks_exact_mut(n_out)) {
            add_row(simd, input, weight, bias, out);
        }
    }
}

#[inline(always)]
fn vectors<S: Simd>(panel: &[f32]) -> &[[S::f32s; 2]] {
    S::as_simd_f32s(panel).0.as_chunks().0
}

/// The columns of a panel.
#[inline(always)]
fn columns<S: Simd>(panel: usize, n_out: usize) -> std::ops::Range<usize> {
    let width = 2 * S::F32_LANES;
    panel * width..n_out.min((panel + 1) * width)
}

/// A panel's columns of six rows, added to the bias, or where there is none to `out`.
#[inline(always)]
fn add_tile<S: Simd>(
    simd: S,
    input: &[f32],
    panel: &[[S::f32s; 2]],
    columns: std::ops::Range<usize>,
    bias: Option<&[f32]>,
    out: &mut [f32],
) {
    let (n_in, n_out) = (input.len() / ROWS_TOGETHER, out.len() / ROWS_TOGETHER);
    let mut sums = [[simd.splat_f32s(0.0); 2]; ROWS_TOGETHER];
    for (sums, out) in sums.iter_mut().zip(out.chunks_exact(n_out)) {
        *sums = load(simd, &bias.unwrap_or(out)[columns.clone()]);
    }
    let (a, rest) = input.split_at(n_in);
    let (b, rest) = rest.split_at(n_in);
    let (c, rest) = rest.split_at(n_in);
    let (d, rest) = rest.split_at(n_in);
    let (e, f) = rest.split_at(n_in);
    for ((((((weight, a), b), c), d), e), f) in panel.iter().zip(a).zip(b).zip(c).zip(d).zip(e).zip(f) {
        for (sums, value) in sums.iter_mut().zip([a, b, c, d, e, f]) {
            let value = simd.splat_f32s(*value);
            sums[0] = simd.mul_add_e_f32s(value, weight[0], sums[0]);
            sums[1] = simd.mul_add_e_f32s(value, weight[1], sums[1]);
        }
    }
    for (sums, out) in sums.into_iter().zip(out.chunks_exact_mut(n_out)) {
        store(simd, sums, &mut out[columns.clone()]);
    }
}

/// All columns of one row, added as those of a tile: four panels at a time, so that no sum waits for its own last addition.
#[inline(always)]
fn add_row<S: Simd>(simd: S, input: &[f32], weight: &[f32], bias: Option<&[f32]>, out: &mut [f32]) {
    let (n_in, n_out, width) = (input.len(), out.len(), 2 * S::F32_LANES);
    let four = weight.chunks_exact(4 * n_in * width);
    let (n_four, rest) = (four.len(), four.remainder());
    for (index, panels) in four.enumerate() {
        let at = |panel: usize| columns::<S>(4 * index + panel, n_out);
        let mut sums: [[S::f32s; 2]; 4] = [0, 1, 2, 3].map(
            #[inline(always)]
            |panel| load(simd, &bias.unwrap_or(out)[at(panel)]),
        );
        let (a, panels) = panels.split_at(n_in * width);
        let (b, panels) = panels.split_at(n_in * width);
        let (c, d) = panels.split_at(n_in * width);
        let panels = vectors::<S>(a).iter().zip(vectors::<S>(b)).zip(vectors::<S>(c)).zip(vectors::<S>(d));
        for (value, (((a, b), c), d)) in input.iter().zip(panels) {
            let value = simd.splat_f32s(*value);
            for (sums, weight) in sums.iter_mut().zip([a, b, c, d]) {
                sums[0] = simd.mul_add_e_f32s(value, weight[0], sums[0]);
                sums[1] = simd.mul_add_e_f32s(value, weight[1], sums[1]);
            }
        }
        for (panel, sums) in sums.into_iter().enumerate() {
            store(simd, sums, &mut out[at(panel)]);
        }
    }
    for (index, panel) in rest.chunks_exact(n_in * width).enumerate() {
        let columns = columns::<S>(4 * n_four + index, n_out);
        let mut sums = load(simd, &bias.unwrap_or(out)[columns.clone()]);
        for (value, weight) in input.iter().zip(vectors::<S>(panel)) {
            let value = simd.splat_f32s(*value);
            sums[0] = simd.mul_add_e_f32s(value, weight[0], sums[0]);
            sums[1] = simd.mul_add_e_f32s(value, weight[1], sums[1]);
        }
        store(simd, sums, &mut out[columns]);
    }
}

/// The sum of the products of two vectors, in an order that depends on their length alone: 64 sums, of every 64th product
/// each, are added by halves, however many of them a processor has in a vector. So one that has wider vectors answers with
/// the same bits.
#[inline(always)]
fn dot<S: Simd>(simd: S, left: &[f32], right: &[f32]) -> f32 {
    const N_SUMS: usize = 64;
    let n_vectors = N_SUMS / S::F32_LANES;
    let mut sums = [simd.splat_f32s(0.0); N_SUMS];
    let sums = &mut sums[..n_vectors];
    let ((left, left_rest), (right, right_rest)) = (left.as_chunks::<N_SUMS>(), right.as_chunks::<N_SUMS>());
    for (left, right) in left.iter().zip(right) {
        let (left, right) = (S::as_simd_f32s(left).0, S::as_simd_f32s(right).0);
        for ((sum, left), right) in sums.iter_mut().zip(left).zip(right) {
            *sum = simd.mul_add_e_f32s(*left, *right, *sum);
        }
    }
    let rest = left_rest.chunks(S::F32_LANES).zip(right_rest.chunks(S::F32_LANES));
    for (sum, (left, right)) in sums.iter_mut().zip(rest) {
        *sum = simd.mul_add_e_f32s(simd.partial_load_f32s(left), simd.partial_load_f32s(right), *sum);
    }
    let mut n_left = n_vectors;
    while n_left > 1 {
        n_left /= 2;
        for index in 0..n_left {
            sums[index] = simd.add_f32s(sums[index], sums[index + n_left]);
        }
    }
    let mut lanes = [0.0; N_SUMS];
    simd.partial_store_f32s(&mut lanes[..S::F32_LANES], sums[0]);
    let mut n_left = S::F32_LANES;
    while n_left > 1 {
        n_left /= 2;
        for index in 0..n_left {
            lanes[index] += lanes[index + n_left];
        }
    }
    lanes[0]
}

/// A panel's columns, zeros beyond the last.
#[inline(always)]
fn load<S: Simd>(simd: S, columns: &[f32]) -> [S::f32s; 2] {
    if let ([first, second], []) = S::as_simd_f32s(columns) {
        return [*first, *second];
    }
    let (first, second) = columns.split_at(columns.len().min(S::F32_LANES));
    [simd.partial_load_f32s(first), simd.partial_load_f32s(second)]
}

#[inline(always)]
fn store<S: Simd>(simd: S, sums: [S::f32s; 2], columns: &mut [f32]) {
    if let ([first, second], []) = S::as_mut_simd_f32s(columns) {
        [*first, *second] = sums;
        return;
    }
    let (first, second) = columns.split_at_mut(columns.len().min(S::F32_LANES));
    simd.partial_store_f32s(first, sums[0]);
    simd.partial_store_f32s(second, sums[1]);
}

/// Rows of sums, each a start and one row of each of some tables, added in their order.
///
/// `starts` and the tables' rows have the length `width`; `rows` holds, for each row of `sums`, its row in each table. What a
/// row has in common with the one before it, from the first table on, is not added again: rows that differ in the last
/// tables alone are cheap.
pub(crate) fn sum_addends(start: &[f32], tables: &[&[f32]], rows: &[u32], sums: &mut [f32]) {
    Arch::new().dispatch(SumAddends { start, tables, rows, sums });
}

struct SumAddends<'a> {
    start: &'a [f32],
    tables: &'a [&'a [f32]],
    rows: &'a [u32],
    sums: &'a mut [f32],
}

impl WithSimd for SumAddends<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { start, tables, rows, sums } = self;
        let (width, n_tables) = (start.len(), tables.len());
        if n_tables == 0 {
            sums.chunks_exact_mut(width).for_each(|sums| sums.copy_from_slice(start));
            return;
        }
        // The sums of the first tables, of none of them first.
        let mut partial = start.repeat(n_tables);
        let mut row_before: &[u32] = &[];
        let mut rows = rows.chunks_exact(n_tables).peekable();
        for sums in sums.chunks_exact_mut(width) {
            let Some(row) = rows.next() else { break };
            let n_kept = n_common(row_before, row).min(n_tables - 1);
            // What the next row starts with is kept for it.
            let n_next = rows.peek().map_or(0, |next| n_common(row, next)).min(n_tables - 1);
            row_before = row;
            let mut at = 0;
            // Eight vectors of sums stay in registers while the tables pass.
            while at + 8 * S::F32_LANES <= width {
                let mut block: [S::f32s; 8] = eight::<S>(&partial[n_kept * width + at..]);
                for index in n_kept..n_tables {
                    let addend = eight::<S>(&tables[index][row[index] as usize * width + at..]);
                    for (sum, addend) in block.iter_mut().zip(addend) {
                        *sum = simd.add_f32s(*sum, addend);
                    }
                    if index < n_next {
                        let kept = &mut partial[(index + 1) * width + at..];
                        S::as_mut_simd_f32s(&mut kept[..8 * S::F32_LANES]).0.copy_from_slice(&block);
                    }
                }
                S::as_mut_simd_f32s(&mut sums[at..at + 8 * S::F32_LANES]).0.copy_from_slice(&block);
                at += 8 * S::F32_LANES;
            }
            sums[at..].copy_from_slice(&partial[n_kept * width + at..(n_kept + 1) * width]);
            for index in n_kept..n_tables {
                let first = row[index] as usize * width;
                let addend = &tables[index][first + at..first + width];
                sums[at..].iter_mut().zip(addend).for_each(|(sum, addend)| *sum += addend);
                if index < n_next {
                    partial[(index + 1) * width + at..(index + 2) * width].copy_from_slice(&sums[at..]);
                }
            }
        }
    }
}

/// How many elements are equal, up to the first that is not.
#[inline(always)]
fn n_common(left: &[u32], right: &[u32]) -> usize {
    left.iter().zip(right).take_while(|(left, right)| left == right).count()
}

#[inline(always)]
fn eight<S: Simd>(values: &[f32]) -> [S::f32s; 8] {
    let (vectors, _) = S::as_simd_f32s(&values[..8 * S::F32_LANES]).0.as_chunks::<8>();
    vectors[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(n: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        std::iter::repeat_with(next).take(n).collect()
    }

    #[test]
    fn a_row_is_the_same_alone_and_in_every_batch_and_right() {
        for (n_in, n_out) in [(1, 1), (256, 1), (7, 3), (37, 5), (256, 256), (64, 100), (13, 16), (50, 70)] {
            let (weight, bias) = (numbers(n_in * n_out, 1), numbers(n_out, 2));
            let layer = Layer::new(&weight, &bias);
            for n_rows in [1, 2, 5, 6, 7, 13, 48] {
                let input = numbers(n_rows * n_in, 3);
                let start = |_: usize| bias.clone();
                let mut all: Vec<f32> = (0..n_rows).flat_map(start).collect();
                layer.add(&input, &mut all);
                for row in 0..n_rows {
                    let input = &input[row * n_in..(row + 1) * n_in];
                    let mut alone = vec![f32::NAN; n_out];
                    layer.apply(input, &mut alone);
                    assert_eq!(alone, all[row * n_out..(row + 1) * n_out], "{n_in} {n_out} {n_rows}");
                    for (out, sum) in alone.iter().enumerate() {
                        let products =
                            input.iter().enumerate().map(|(k, x)| f64::from(*x) * f64::from(weight[k * n_out + out]));
                        let expected = f64::from(bias[out]) + products.sum::<f64>();
                        assert!((f64::from(*sum) - expected).abs() < 1e-4, "{sum} {expected}");
                    }
                }
            }
        }
    }

    #[test]
    fn addends_are_summed() {
        for width in [1, 64, 100, 256, 300] {
            let start = numbers(width, 1);
            let tables: Vec<Vec<f32>> = (2..6).map(|seed| numbers(3 * width, seed)).collect();
            let tables: Vec<&[f32]> = tables.iter().map(Vec::as_slice).collect();
            // All rows of three cells in four tables, in an order in which neighbours share every number of tables.
            for (n_tables, step) in [(4, 1), (4, 7), (1, 1), (0, 1)] {
                let cell = |row: usize, table: usize| (row * step / 3_usize.pow(3 - table as u32) % 3) as u32;
                let rows: Vec<u32> = (0..81).flat_map(|row| (0..n_tables).map(move |table| cell(row, table))).collect();
                let mut sums = vec![f32::NAN; 81 * width];
                sum_addends(&start, &tables[..n_tables], &rows, &mut sums);
                for (row, sums) in sums.chunks_exact(width).enumerate() {
                    for (at, sum) in sums.iter().enumerate() {
                        let cells = &rows[row * n_tables..(row + 1) * n_tables];
                        let addends = tables.iter().zip(cells).map(|(table, cell)| table[*cell as usize * width + at]);
                        assert_eq!(*sum, addends.fold(start[at], |sum, addend| sum + addend), "{width} {row}");
                    }
                }
            }
        }
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn wider_vectors_give_the_same_bits() {
        let (Some(narrow), Some(wide)) = (pulp::x86::V3::try_new(), pulp::x86::V4::try_new()) else { return };
        struct Dot<'a>(&'a [f32], &'a [f32]);
        impl WithSimd for Dot<'_> {
            type Output = f32;
            #[inline(always)]
            fn with_simd<S: Simd>(self, simd: S) -> f32 {
                dot(simd, self.0, self.1)
            }
        }
        for length in [1, 7, 16, 63, 64, 65, 100, 256, 300] {
            let (left, right) = (numbers(length, 1), numbers(length, 2));
            let narrow = Simd::vectorize(narrow, Dot(&left, &right));
            assert_eq!(narrow, Simd::vectorize(wide, Dot(&left, &right)), "{length}");
        }
    }
}

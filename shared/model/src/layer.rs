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

    /// `out += input weight`, for `input` of `[n_rows, n_in]` and `out` of `[n_rows, n_out]`.
    pub(crate) fn add(&self, input: &[f32], out: &mut [f32]) {
        Arch::new().dispatch(Add { layer: self, input, out });
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

struct Add<'a> {
    layer: &'a Layer,
    input: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Layer { n_in, weight, bias } = self.layer;
        let (n_in, n_out) = (*n_in, bias.len());
        if n_out <= MOST_DOTS {
            for (input, out) in self.input.chunks_exact(n_in).zip(self.out.chunks_exact_mut(n_out)) {
                for (weight, out) in weight.chunks_exact(n_in).zip(out) {
                    *out += dot(simd, input, weight);
                }
            }
            return;
        }
        let tiles = self.input.len() / n_in / ROWS_TOGETHER * ROWS_TOGETHER;
        let (input, input_rest) = self.input.split_at(tiles * n_in);
        let (out, out_rest) = self.out.split_at_mut(tiles * n_out);
        // One panel stays in the nearest cache while all rows pass it.
        for (index, panel) in weight.chunks_exact(n_in * 2 * S::F32_LANES).enumerate() {
            let tiles = input.chunks_exact(ROWS_TOGETHER * n_in).zip(out.chunks_exact_mut(ROWS_TOGETHER * n_out));
            for (input, out) in tiles {
                add_tile(simd, input, vectors::<S>(panel), columns::<S>(index, n_out), out);
            }
        }
        for (input, out) in input_rest.chunks_exact(n_in).zip(out_rest.chunks_exact_mut(n_out)) {
            add_row(simd, input, weight, out);
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

/// A panel's columns of six rows.
#[inline(always)]
fn add_tile<S: Simd>(simd: S, input: &[f32], panel: &[[S::f32s; 2]], columns: std::ops::Range<usize>, out: &mut [f32]) {
    let (n_in, n_out) = (input.len() / ROWS_TOGETHER, out.len() / ROWS_TOGETHER);
    let mut sums = [[simd.splat_f32s(0.0); 2]; ROWS_TOGETHER];
    for (sums, out) in sums.iter_mut().zip(out.chunks_exact(n_out)) {
        *sums = load(simd, &out[columns.clone()]);
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

/// All columns of one row: four panels at a time, so that no sum waits for its own last addition.
#[inline(always)]
fn add_row<S: Simd>(simd: S, input: &[f32], weight: &[f32], out: &mut [f32]) {
    let (n_in, n_out, width) = (input.len(), out.len(), 2 * S::F32_LANES);
    let four = weight.chunks_exact(4 * n_in * width);
    let (n_four, rest) = (four.len(), four.remainder());
    for (index, panels) in four.enumerate() {
        let at = |panel: usize| columns::<S>(4 * index + panel, n_out);
        let mut sums: [[S::f32s; 2]; 4] = [0, 1, 2, 3].map(|panel| load(simd, &out[at(panel)]));
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
        let mut sums = load(simd, &out[columns.clone()]);
        for (value, weight) in input.iter().zip(vectors::<S>(panel)) {
            let value = simd.splat_f32s(*value);
            sums[0] = simd.mul_add_e_f32s(value, weight[0], sums[0]);
            sums[1] = simd.mul_add_e_f32s(value, weight[1], sums[1]);
        }
        store(simd, sums, &mut out[columns]);
    }
}

/// The sum of the products of two vectors, in an order that depends on their length alone.
#[inline(always)]
fn dot<S: Simd>(simd: S, left: &[f32], right: &[f32]) -> f32 {
    let ((left, left_rest), (right, right_rest)) = (S::as_simd_f32s(left), S::as_simd_f32s(right));
    let mut sums = [simd.splat_f32s(0.0); 4];
    let ((left, left_few), (right, right_few)) = (left.as_chunks::<4>(), right.as_chunks::<4>());
    for (left, right) in left.iter().zip(right) {
        for ((sum, left), right) in sums.iter_mut().zip(left).zip(right) {
            *sum = simd.mul_add_e_f32s(*left, *right, *sum);
        }
    }
    for (left, right) in left_few.iter().zip(right_few) {
        sums[0] = simd.mul_add_e_f32s(*left, *right, sums[0]);
    }
    let rest = [simd.partial_load_f32s(left_rest), simd.partial_load_f32s(right_rest)];
    sums[1] = simd.mul_add_e_f32s(rest[0], rest[1], sums[1]);
    let [a, b, c, d] = sums;
    simd.reduce_sum_f32s(simd.add_f32s(simd.add_f32s(a, b), simd.add_f32s(c, d)))
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

/// Rows of sums, each a start and one row of each of some tables.
///
/// `starts` and the tables' rows have the length `width`; `rows` holds, for each row of `sums`, its row in each table.
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
        let width = self.start.len();
        let n_tables = self.tables.len();
        for (row, sums) in self.sums.chunks_exact_mut(width).enumerate() {
            let rows = &self.rows[row * n_tables..(row + 1) * n_tables];
            let mut start = 0;
            // Eight vectors of sums stay in registers while the tables pass.
            while start + 8 * S::F32_LANES <= width {
                let at = start..start + 8 * S::F32_LANES;
                let mut block: [S::f32s; 8] = eight::<S>(&self.start[at.clone()]);
                for (table, row) in self.tables.iter().zip(rows) {
                    let first = *row as usize * width + start;
                    let addend = eight::<S>(&table[first..first + 8 * S::F32_LANES]);
                    for (sum, addend) in block.iter_mut().zip(addend) {
                        *sum = simd.add_f32s(*sum, addend);
                    }
                }
                S::as_mut_simd_f32s(&mut sums[at]).0.copy_from_slice(&block);
                start += 8 * S::F32_LANES;
            }
            sums[start..].copy_from_slice(&self.start[start..]);
            for (table, row) in self.tables.iter().zip(rows) {
                let addend = &table[*row as usize * width..(*row as usize + 1) * width];
                sums[start..].iter_mut().zip(&addend[start..]).for_each(|(sum, addend)| *sum += addend);
            }
        }
    }
}

#[inline(always)]
fn eight<S: Simd>(values: &[f32]) -> [S::f32s; 8] {
    let (vectors, _) = S::as_simd_f32s(values).0.as_chunks::<8>();
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
                    let mut alone = bias.clone();
                    layer.add(input, &mut alone);
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
        for width in [1, 64, 100, 256] {
            let (start, first, second) = (numbers(width, 1), numbers(3 * width, 2), numbers(2 * width, 3));
            let mut sums = vec![f32::NAN; 2 * width];
            sum_addends(&start, &[&first, &second], &[2, 0, 1, 1], &mut sums);
            for (row, (a, b)) in [(2, 0), (1, 1)].into_iter().enumerate() {
                for at in 0..width {
                    let expected = start[at] + first[a * width + at] + second[b * width + at];
                    assert_eq!(sums[row * width + at], expected);
                }
            }
        }
    }
}

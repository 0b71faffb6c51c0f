//! Mixed rows, evaluated block by block on all threads of the pool, and reduced in one order whatever their number.

use rayon::prelude::*;

use crate::{Error, Game, Mixed};

/// Mixed rows that are evaluated together: enough for a network's weights to be read once for many rows.
pub(crate) const BLOCK_ROWS: usize = 128;

/// Blocks between two looks at the clock.
const WAVE_BLOCKS: usize = 64;

/// Fills blocks with jobs of some mixed rows each, evaluates them, and hands every job's outputs on in order.
///
/// `rows_of` writes a job's mixed rows; `reduce` makes what is kept of a job of its outputs, `[rows, n_outputs]`, on the
/// thread that computed them; `keep` gets that, in the order of jobs. After each wave of blocks `is_due` is asked, and true
/// ends the walk: what was handed on is whole waves. Answers the number of jobs that were done.
pub(crate) fn for_each_job<G, J, R>(
    game: &G,
    jobs: &mut dyn Iterator<Item = J>,
    rows_of: impl Fn(&J, &mut Mixed) + Sync,
    reduce: impl Fn(&J, &[f64]) -> R + Sync,
    mut keep: impl FnMut(J, R),
    is_due: &dyn Fn() -> bool,
) -> Result<Walked, Error>
where
    G: Game + ?Sized,
    J: Send + Sync + Rows,
    R: Send,
{
    let mut walked = Walked::default();
    loop {
        let wave = next_wave(jobs);
        if wave.is_empty() {
            walked.is_whole = true;
            return Ok(walked);
        }
        let done: Vec<(Vec<J>, Vec<R>)> = wave
            .into_par_iter()
            .map(|block| {
                let mut mixed = Mixed::new(game.n_players());
                block.iter().for_each(|job| rows_of(job, &mut mixed));
                let outputs = evaluate(game, &mixed)?;
                let mut start = 0;
                let reduced = block.iter().map(|job| {
                    let end = start + job.n_rows() * game.n_outputs();
                    let of_job = reduce(job, &outputs[start..end]);
                    start = end;
                    of_job
                });
                let reduced = reduced.collect();
                Ok((block, reduced))
            })
            .collect::<Result<_, Error>>()?;
        for (job, reduced) in done.into_iter().flat_map(|(block, reduced)| block.into_iter().zip(reduced)) {
            walked.evaluations += job.n_rows() as u64;
            keep(job, reduced);
        }
        if is_due() {
            return Ok(walked);
        }
    }
}

/// How far a walk over jobs came.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Walked {
    /// Mixed rows that were evaluated.
    pub(crate) evaluations: u64,
    /// Whether no job is left.
    pub(crate) is_whole: bool,
}

/// What is made of some mixed rows.
pub(crate) trait Rows {
    /// How many they are.
    fn n_rows(&self) -> usize;
}

fn next_wave<J: Rows>(jobs: &mut dyn Iterator<Item = J>) -> Vec<Vec<J>> {
    let mut wave: Vec<Vec<J>> = Vec::new();
    let mut n_rows = 0;
    while wave.len() < WAVE_BLOCKS {
        let mut block = Vec::new();
        while n_rows < BLOCK_ROWS {
            let Some(job) = jobs.next() else { break };
            n_rows += job.n_rows();
            block.push(job);
        }
        if block.is_empty() {
            break;
        }
        n_rows = 0;
        wave.push(block);
    }
    wave
}

/// The outputs at mixed rows, all finite.
fn evaluate<G: Game + ?Sized>(game: &G, mixed: &Mixed) -> Result<Vec<f64>, Error> {
    let n_outputs = game.n_outputs();
    let mut outputs = vec![f64::NAN; mixed.len() * n_outputs];
    if !mixed.is_empty() {
        game.outputs(mixed, &mut outputs);
    }
    for ((background, coalition), values) in mixed.rows().zip(outputs.chunks_exact(n_outputs)) {
        if let Some(output) = values.iter().position(|value| !value.is_finite()) {
            let members = coalition.iter().enumerate().filter(|(_, member)| **member);
            let players = members.map(|(player, _)| player).collect();
            return Err(Error::NotFinite { output, background, players });
        }
    }
    Ok(outputs)
}

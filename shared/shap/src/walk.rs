use crate::{Error, Game};

/// A walk over a game's coalitions that counts the values it computes and refuses those that are not finite.
pub(crate) struct Walk<'a, G: ?Sized> {
    game: &'a mut G,
    coalition: Vec<bool>,
    size: usize,
    value: Vec<f64>,
    evaluations: u64,
}

impl<'a, G: Game + ?Sized> Walk<'a, G> {
    /// A walk that starts at the empty coalition, with nothing computed.
    pub(crate) fn new(game: &'a mut G) -> Self {
        let coalition = vec![false; game.n_players()];
        let value = vec![0.0; game.n_outputs()];
        Self { game, coalition, size: 0, value, evaluations: 0 }
    }

    /// Lets `player` join, or leave where it is a member.
    pub(crate) fn flip(&mut self, player: usize) {
        let member = &mut self.coalition[player];
        *member = !*member;
        if *member { self.size += 1 } else { self.size -= 1 }
    }

    /// Lets all players join.
    pub(crate) fn join_all(&mut self) {
        self.coalition.fill(true);
        self.size = self.coalition.len();
    }

    /// The value of the present coalition, shape `[n_outputs]`.
    pub(crate) fn evaluate(&mut self) -> Result<&[f64], Error> {
        self.game.value(&self.coalition, &mut self.value);
        self.evaluations += 1;
        match self.value.iter().position(|value| !value.is_finite()) {
            None => Ok(&self.value),
            Some(output) => {
                let members = self.coalition.iter().enumerate().filter(|(_, member)| **member);
                Err(Error::NotFinite { output, players: members.map(|(player, _)| player).collect() })
            }
        }
    }

    /// Who is in the present coalition, shape `[n_players]`.
    pub(crate) fn coalition(&self) -> &[bool] {
        &self.coalition
    }

    /// How many are in the present coalition.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// How many values were computed so far.
    pub(crate) fn evaluations(&self) -> u64 {
        self.evaluations
    }
}

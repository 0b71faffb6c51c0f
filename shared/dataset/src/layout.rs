//! Which column of a source is which column of the spec.

use std::collections::HashMap;

use spec::Spec;

/// Where a source's column goes. The index is dense over all slots of a layout, dropped columns included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) index: usize,
    pub(crate) place: Place,
}

/// What a source's column is to the spec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The raw column at this index.
    Column(usize),
    /// The target.
    Target,
    /// The column that orders rows, where it is no input.
    Time,
    /// How much a row counts in a fit.
    Weight,
    /// Dropped.
    Ignored,
}

/// Where every column that the spec names goes.
#[derive(Debug)]
pub(crate) struct Layout {
    slots: HashMap<String, Slot>,
    rename: HashMap<String, String>,
    names: Vec<String>,
    places: Vec<Place>,
}

impl Layout {
    /// The layout of a spec: raw columns first, then the target, the time where it is no input, the weight, and dropped
    /// columns.
    pub(crate) fn new(spec: &Spec) -> Self {
        let mut layout =
            Layout { slots: HashMap::new(), rename: HashMap::new(), names: Vec::new(), places: Vec::new() };
        for (index, name) in spec.columns.keys().enumerate() {
            layout.add(name, Place::Column(index));
        }
        layout.add(&spec.target.column, Place::Target);
        if let Some(time) = &spec.time {
            layout.add(time, Place::Time);
        }
        if let Some(weight) = &spec.train.weight {
            layout.add(weight, Place::Weight);
        }
        for name in spec.drop.names() {
            layout.add(name, Place::Ignored);
        }
        if let Some(source) = &spec.source {
            layout.rename = source.rename.iter().map(|(theirs, ours)| (theirs.clone(), ours.clone())).collect();
        }
        layout
    }

    /// Adds a name unless it already has a slot: a time that is an input, or dropped, is that.
    fn add(&mut self, name: &str, place: Place) {
        let index = self.names.len();
        if !self.slots.contains_key(name) {
            self.slots.insert(name.to_owned(), Slot { index, place });
            self.names.push(name.to_owned());
            self.places.push(place);
        }
    }

    /// Where the source's column of this name goes; none where the spec does not name it.
    pub(crate) fn slot(&self, source_name: &str) -> Option<Slot> {
        let name = self.rename.get(source_name).map_or(source_name, String::as_str);
        self.slots.get(name).copied()
    }

    /// Our name of a slot.
    pub(crate) fn name(&self, index: usize) -> &str {
        &self.names[index]
    }

    /// What stands at each slot.
    pub(crate) fn places(&self) -> &[Place] {
        &self.places
    }
}

//! `--system real-estate`: one learnable distribution of homes, sliced into six batches.
//!
//! # The joint distribution
//!
//! A home has a region (53, weights near the root of population), a city (six a region), a status, a size (log-normal
//! with a rare estate tail), beds and baths that follow size, and a lot that follows how rural the region is. With
//! `z = ln(house_size / 1750)` and `u = ln(acre_lot / 0.25)`,
//!
//! ```text
//! ln price = 12.62 + region + city          region: 1.4 ln(typical value / 330,000 USD); city: N(0, 0.34²), centred
//!          + z (0.70 + 0.25 region) + 0.18 max(z, 0)²        size, steeper where homes are dear and when large
//!          + 0.30 ln(bath / 2) - 0.02 (bed - 3.5)²           baths; too few and too many beds both cost
//!          + 0.09 tanh(u / 1.5) (1.4 - rural)                lot, worth more in town, saturating
//!          + status (for_sale 0, sold -0.04, ready_to_build 0.06)
//!          + noise,  noise ~ N(0, 0.34²)
//! ```
//!
//! `brokered_by`, `street` and `prev_sold_date` (an ISO date, missing in a tenth of rows) tell nothing about the price;
//! `zip_code` tells the city. Region and city effects are fixed: a seed changes the rows, never the world.
//!
//! # The slices
//!
//! Batch `b` is that distribution, conditioned on the statuses, regions and price range of [`SLICES`] and weighted by a
//! factor of the price alone, chosen so that the mean price is the published one. Rows are independent, so
//! `--scale` changes counts and nothing else. 15 to 41 % of the proposals are kept.
//!
//! # The best reachable scores
//!
//! Under the joint distribution no predictor of ln price exceeds R² = [`BEST_R2`], one minus the variance of the noise
//! over the variance of ln price. Slicing on the price changes that: a narrow range leaves less variance to explain.
//! [`BATCH_BEST`] has the scores of the Bayes predictors (the mean, and for the absolute error the median, of ln price
//! given all other columns and the batch) by batch, and [`POOLED_BEST`] those for all six together, at the published
//! counts and without knowing the batch. A test measures all of these again.
//!
//! | | joint | 0 | 1 | 2 | 3 | 4 | 5 | all six |
//! |---|---|---|---|---|---|---|---|---|
//! | R² of ln price | 0.855 | 0.521 | 0.609 | 0.586 | 0.331 | 0.139 | 0.725 | 0.827 |
//! | mean absolute error of ln price | 0.271 | 0.180 | 0.222 | 0.206 | 0.153 | 0.114 | 0.213 | 0.261 |

use std::sync::Arc;

use chrono::{Days, NaiveDate};

use super::draw::{Draw, Purpose, cumulative, round};
use super::rows::{Column, NULL_CODE, Table, Text};

/// The best reachable R² of ln price under the joint distribution, before slicing.
pub(super) const BEST_R2: f64 = 0.855;
/// The best reachable (R² of ln price, mean absolute error of ln price) within each batch.
pub(super) const BATCH_BEST: [(f64, f64); 6] =
    [(0.521, 0.180), (0.609, 0.222), (0.586, 0.206), (0.331, 0.153), (0.139, 0.114), (0.725, 0.213)];
/// The best reachable (R², mean absolute error) of ln price over all six batches together.
pub(super) const POOLED_BEST: (f64, f64) = (0.827, 0.261);

/// Standard deviation of the noise in ln price.
const NOISE: f64 = 0.34;
/// ln price of the middling home.
const CENTER: f64 = 12.62;
/// Cities of a region.
const CITIES: usize = 6;
/// Shares of a region's cities.
const CITY_WEIGHTS: [f64; CITIES] = [0.30, 0.22, 0.17, 0.13, 0.10, 0.08];
/// Standard deviation of city effects.
const CITY_EFFECT: f64 = 0.34;
/// Share of homes without `prev_sold_date`, whatever their status.
const NO_DATE: f64 = 0.10;
/// Days that `prev_sold_date` goes back at most.
const DATE_RANGE: usize = 33 * 365;
/// The seed of the world: city names and effects.
const WORLD_SEED: u64 = 0x6562_6221;

const STATUSES: [&str; 3] = ["for_sale", "sold", "ready_to_build"];
const STATUS_WEIGHTS: [f64; 3] = [0.60, 0.37, 0.03];
const STATUS_EFFECTS: [f64; 3] = [0.0, -0.04, 0.06];

/// Name, weight, typical value in thousands of USD (stylised), and how rural (0 to 1).
type Region = (&'static str, f64, f64, f64);

/// The 50 states first; batches name regions by how many of this list they hold.
const REGIONS: [Region; 53] = [
    ("Alabama", 2.2, 220.0, 0.6),
    ("Alaska", 0.9, 350.0, 0.9),
    ("Arizona", 2.7, 420.0, 0.4),
    ("Arkansas", 1.7, 195.0, 0.7),
    ("California", 6.2, 740.0, 0.2),
    ("Colorado", 2.4, 530.0, 0.5),
    ("Connecticut", 1.9, 380.0, 0.2),
    ("Delaware", 1.0, 370.0, 0.3),
    ("Florida", 4.7, 390.0, 0.2),
    ("Georgia", 3.3, 320.0, 0.4),
    ("Hawaii", 1.2, 830.0, 0.4),
    ("Idaho", 1.4, 440.0, 0.7),
    ("Illinois", 3.5, 250.0, 0.3),
    ("Indiana", 2.6, 230.0, 0.4),
    ("Iowa", 1.8, 210.0, 0.7),
    ("Kansas", 1.7, 220.0, 0.6),
    ("Kentucky", 2.1, 200.0, 0.6),
    ("Louisiana", 2.1, 200.0, 0.5),
    ("Maine", 1.2, 380.0, 0.8),
    ("Maryland", 2.5, 410.0, 0.2),
    ("Massachusetts", 2.6, 590.0, 0.1),
    ("Michigan", 3.2, 230.0, 0.4),
    ("Minnesota", 2.4, 320.0, 0.5),
    ("Mississippi", 1.7, 175.0, 0.7),
    ("Missouri", 2.5, 240.0, 0.5),
    ("Montana", 1.1, 440.0, 0.9),
    ("Nebraska", 1.4, 250.0, 0.6),
    ("Nevada", 1.8, 420.0, 0.4),
    ("New Hampshire", 1.2, 450.0, 0.5),
    ("New Jersey", 3.0, 490.0, 0.0),
    ("New Mexico", 1.5, 290.0, 0.7),
    ("New York", 4.4, 450.0, 0.3),
    ("North Carolina", 3.2, 320.0, 0.4),
    ("North Dakota", 0.9, 250.0, 0.9),
    ("Ohio", 3.4, 220.0, 0.3),
    ("Oklahoma", 2.0, 200.0, 0.6),
    ("Oregon", 2.1, 490.0, 0.5),
    ("Pennsylvania", 3.6, 260.0, 0.3),
    ("Rhode Island", 1.1, 430.0, 0.1),
    ("South Carolina", 2.3, 290.0, 0.5),
    ("South Dakota", 1.0, 300.0, 0.9),
    ("Tennessee", 2.6, 310.0, 0.5),
    ("Texas", 5.4, 300.0, 0.4),
    ("Utah", 1.8, 510.0, 0.4),
    ("Vermont", 0.9, 380.0, 0.8),
    ("Virginia", 2.9, 380.0, 0.3),
    ("Washington", 2.8, 580.0, 0.3),
    ("West Virginia", 1.3, 160.0, 0.8),
    ("Wisconsin", 2.4, 290.0, 0.5),
    ("Wyoming", 0.9, 330.0, 0.9),
    ("Puerto Rico", 2.2, 170.0, 0.3),
    ("District of Columbia", 0.9, 620.0, 0.0),
    ("Virgin Islands", 0.8, 450.0, 0.4),
];

/// Which regions a slice holds, as positions in [`REGIONS`].
#[derive(Clone, Copy, Debug)]
enum Regions {
    /// The first so many.
    First(usize),
    /// One alone.
    Only(usize),
}

/// A factor of the price alone, at most 1.
#[derive(Clone, Copy, Debug)]
enum Tilt {
    /// `exp(k (price / high - 1))`: towards the upper end of the range.
    Upper(f64),
    /// `(low / price)^k`: towards the lower end of the range.
    Lower(f64),
}

/// One published batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slice {
    /// Rows at scale 1.
    pub(super) rows: usize,
    /// The only status; all three when `None`.
    status: Option<usize>,
    regions: Regions,
    /// The price range in USD, from `low` to below `high`.
    low: f64,
    high: f64,
    tilt: Tilt,
}

/// The published batches: counts, statuses, number of states, price ranges.
pub(super) const SLICES: [Slice; 6] = [
    Slice { rows: 73_784, status: Some(0), regions: Regions::First(50), low: 1.0, high: 3e5, tilt: Tilt::Upper(3.2) },
    Slice { rows: 94_551, status: Some(0), regions: Regions::First(51), low: 1.0, high: 3e5, tilt: Tilt::Upper(0.51) },
    Slice { rows: 230_366, status: Some(1), regions: Regions::First(50), low: 1.0, high: 3e5, tilt: Tilt::Upper(1.67) },
    Slice { rows: 4_055, status: None, regions: Regions::Only(45), low: 10.0, high: 3e5, tilt: Tilt::Upper(3.45) },
    Slice { rows: 320_696, status: None, regions: Regions::First(53), low: 3e5, high: 5e5, tilt: Tilt::Upper(1.43) },
    Slice { rows: 361_457, status: None, regions: Regions::First(53), low: 5e5, high: 515e6, tilt: Tilt::Lower(0.0) },
];

impl Slice {
    /// Rows at `scale`, at least one.
    pub(super) fn n_rows(&self, scale: f64) -> usize {
        ((self.rows as f64 * scale).round() as usize).max(1)
    }

    fn holds(&self, price: f64) -> bool {
        price >= self.low && price < self.high
    }

    /// The factor that this slice puts on homes of `price`, at most 1 within the range.
    fn weight(&self, price: f64) -> f64 {
        match self.tilt {
            Tilt::Upper(k) => (k * (price / self.high - 1.0)).exp(),
            Tilt::Lower(k) => (self.low / price).powf(k),
        }
    }
}

/// What a price depends on.
#[derive(Clone, Copy, Debug)]
struct Home {
    region: usize,
    city: usize,
    status: usize,
    bed: f64,
    bath: f64,
    acre_lot: f64,
    house_size: f64,
}

/// The fixed world of regions and cities, and the batches drawn from it.
#[derive(Debug)]
pub(super) struct RealEstate {
    scale: f64,
    seed: u64,
    region_weights: Vec<f64>,
    city_weights: Vec<f64>,
    status_weights: Vec<f64>,
    city_effects: Vec<f64>,
    city_names: Arc<Vec<String>>,
    dates: Arc<Vec<String>>,
}

impl RealEstate {
    /// The world, with batches of `scale` times the published counts drawn by `seed`.
    pub(super) fn new(scale: f64, seed: u64) -> Self {
        let mut draw = Draw::new(WORLD_SEED, Purpose::World, 0, 0);
        let names = city_names(&mut draw);
        let mut city_effects = Vec::with_capacity(REGIONS.len() * CITIES);
        for _ in &REGIONS {
            let raw: Vec<f64> = (0..CITIES).map(|_| CITY_EFFECT * draw.normal()).collect();
            // Centred, so that a region's effect is its mean and not also its cities' luck.
            let mean: f64 = raw.iter().zip(CITY_WEIGHTS).map(|(effect, weight)| effect * weight).sum();
            city_effects.extend(raw.iter().map(|effect| effect - mean));
        }
        let last = NaiveDate::from_ymd_opt(2023, 12, 31).unwrap_or_default();
        let dates = (0..DATE_RANGE as u64).map(|days| (last - Days::new(days)).to_string()).collect();
        Self {
            scale,
            seed,
            region_weights: cumulative(REGIONS.map(|region| region.1)),
            city_weights: cumulative(CITY_WEIGHTS),
            status_weights: cumulative(STATUS_WEIGHTS),
            city_effects,
            city_names: Arc::new(names),
            dates: Arc::new(dates),
        }
    }

    /// Rows of each batch.
    pub(super) fn batch_rows(&self) -> Vec<usize> {
        SLICES.iter().map(|slice| slice.n_rows(self.scale)).collect()
    }

    /// Batch `batch`, which is below 6.
    pub(super) fn batch(&self, batch: usize) -> Table {
        let slice = &SLICES[batch];
        let n_rows = slice.n_rows(self.scale);
        let mut draw = Draw::new(self.seed, Purpose::Rows, 0, batch);
        let floats = || Vec::with_capacity(n_rows);
        let codes = || Vec::with_capacity(n_rows);
        let (mut brokered_by, mut price, mut bed, mut bath, mut acre_lot) =
            (floats(), floats(), floats(), floats(), floats());
        let (mut street, mut zip_code, mut house_size) = (floats(), floats(), floats());
        let (mut status, mut city, mut state, mut prev_sold_date) = (codes(), codes(), codes(), codes());
        for _ in 0..n_rows {
            let (home, dollars) = self.sample(slice, &mut draw);
            // A broker's code says nothing, but a few brokers have most of the listings.
            brokered_by.push((110_000.0 * draw.uniform().powi(3)).floor());
            status.push(home.status as u32);
            price.push(dollars);
            bed.push(home.bed);
            bath.push(home.bath);
            acre_lot.push(home.acre_lot);
            street.push((2_000_000.0 * draw.uniform()).floor());
            city.push(home.city as u32);
            state.push(home.region as u32);
            zip_code.push((1_000 + 1_800 * home.region + 300 * (home.city % CITIES) + draw.below(40)) as f64);
            house_size.push(home.house_size);
            let days = (draw.exponential() * 6.0 * 365.0) as usize;
            let dated = !draw.chance(NO_DATE);
            prev_sold_date.push(if dated { days.min(DATE_RANGE - 1) as u32 } else { NULL_CODE });
        }
        let text = |codes, levels: &Arc<Vec<String>>| Column::Text(Text { codes, levels: Arc::clone(levels) });
        let statuses = Arc::new(STATUSES.map(str::to_owned).to_vec());
        let states = Arc::new(REGIONS.map(|region| region.0.to_owned()).to_vec());
        Table::new(vec![
            ("brokered_by".into(), Column::Float(brokered_by)),
            ("status".into(), text(status, &statuses)),
            ("price".into(), Column::Float(price)),
            ("bed".into(), Column::Float(bed)),
            ("bath".into(), Column::Float(bath)),
            ("acre_lot".into(), Column::Float(acre_lot)),
            ("street".into(), Column::Float(street)),
            ("city".into(), text(city, &self.city_names)),
            ("state".into(), text(state, &states)),
            ("zip_code".into(), Column::Float(zip_code)),
            ("house_size".into(), Column::Float(house_size)),
            ("prev_sold_date".into(), text(prev_sold_date, &self.dates)),
        ])
    }

    /// A home of `slice` and its price, by rejection: the slice's own status and regions are proposed from the start, and
    /// only the price can refuse.
    fn sample(&self, slice: &Slice, draw: &mut Draw) -> (Home, f64) {
        loop {
            let home = self.propose(slice, draw);
            let price = (self.log_price(&home) + NOISE * draw.normal()).exp().round();
            if slice.holds(price) && draw.chance(slice.weight(price)) {
                return (home, price);
            }
        }
    }

    fn propose(&self, slice: &Slice, draw: &mut Draw) -> Home {
        let region = match slice.regions {
            Regions::First(count) => draw.index(&self.region_weights[..count]),
            Regions::Only(region) => region,
        };
        let city = region * CITIES + draw.index(&self.city_weights);
        let status = slice.status.unwrap_or_else(|| draw.index(&self.status_weights));
        let rural = REGIONS[region].3;
        let mut z = 0.50 * draw.normal();
        if draw.chance(0.025) {
            z += 0.6 * draw.exponential();
        }
        let house_size = (1750.0 * z.exp()).round().clamp(250.0, 40_000.0);
        let bed = (3.2 + 1.5 * z + 0.6 * draw.normal()).round().clamp(1.0, 12.0);
        let bath = (2.1 + 1.2 * z + 0.2 * (bed - 3.0) + 0.45 * draw.normal()).round().clamp(1.0, 14.0);
        let acre_lot = round((-1.6 + 1.2 * rural + 0.25 * z + 0.8 * draw.normal()).exp(), 2).clamp(0.01, 2_000.0);
        Home { region, city, status, bed, bath, acre_lot, house_size }
    }

    /// The expected ln price of a home, before any slicing.
    fn log_price(&self, home: &Home) -> f64 {
        let (_, _, value, rural) = REGIONS[home.region];
        let region = 1.4 * (value / 330.0).ln();
        let z = (home.house_size / 1750.0).ln();
        let u = (home.acre_lot / 0.25).ln();
        CENTER
            + region
            + self.city_effects[home.city]
            + z * (0.70 + 0.25 * region)
            + 0.18 * z.max(0.0).powi(2)
            + 0.30 * (home.bath / 2.0).ln()
            - 0.02 * (home.bed - 3.5).powi(2)
            + 0.09 * (u / 1.5).tanh() * (1.4 - rural)
            + STATUS_EFFECTS[home.status]
    }
}

/// As many distinct made-up names as there are cities, shuffled.
fn city_names(draw: &mut Draw) -> Vec<String> {
    const FIRST: [&str; 24] = [
        "Alder", "Ash", "Birch", "Bright", "Cedar", "Clear", "Cold", "Crown", "Deer", "East", "Elm", "Fair", "Fox",
        "Glen", "Hazel", "Lake", "Maple", "North", "Oak", "Pine", "Red", "Stone", "West", "Willow",
    ];
    const SECOND: [&str; 14] = [
        "bridge", "brook", "bury", "dale", "field", "ford", "haven", "hurst", "mill", "port", "ridge", "ton", "ville",
        "wood",
    ];
    let mut names: Vec<String> =
        FIRST.iter().flat_map(|first| SECOND.iter().map(move |second| format!("{first}{second}"))).collect();
    for i in (1..names.len()).rev() {
        names.swap(i, draw.below(i + 1));
    }
    names.truncate(REGIONS.len() * CITIES);
    names
}

#[cfg(test)]
mod tests;

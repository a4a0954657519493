//! What reached a server over time, drawn: one panel for each contestant, all on the same scales.

use std::{
    ops::Range,
    path::{Path, PathBuf},
    time::Duration,
};

use golive_sim::{Arrivals, Fate};
use plotters::{coord::Shift, prelude::*};

/// A drawing.
pub(crate) struct Chart<'a> {
    /// The last part of its name.
    pub(crate) file: &'a str,
    pub(crate) title: &'a str,
    /// What is counted together.
    pub(crate) bucket: Duration,
    pub(crate) end: Duration,
    /// Requests per second above which a panel is cut off; its caption says how many there are.
    pub(crate) top: Option<f64>,
    /// When the server was down, if it was.
    pub(crate) down: Option<Range<Duration>>,
    /// What lies above what.
    pub(crate) bands: &'a [Band],
}

/// Requests that are drawn alike.
pub(crate) struct Band {
    name: &'static str,
    fates: &'static [Fate],
}

/// One contestant.
pub(crate) struct Panel<'a> {
    /// Its name, and its figures.
    pub(crate) caption: String,
    pub(crate) arrivals: &'a Arrivals,
}

const WIDTH: u32 = 1000;
const HEADER: u32 = 70;
const PANEL: u32 = 170;
/// The lowest band first; told apart by those who see no red, too.
const COLOURS: [RGBColor; 2] = [RGBColor(31, 119, 180), RGBColor(214, 84, 39)];
const SHADE: RGBColor = RGBColor(225, 225, 225);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

// === impl Band ===

impl Band {
    pub(crate) const fn of(name: &'static str, fates: &'static [Fate]) -> Self {
        Self { name, fates }
    }
}

// === impl Chart ===

impl Chart<'_> {
    /// Draws, and says where.
    pub(crate) fn draw(&self, panels: &[Panel<'_>]) {
        let file = self.path();
        self.write(&file, panels).expect("a drawing");
        println!("    drawn in {}", file.display());
    }

    /// Where cargo lets benchmarks leave what is for later.
    fn path(&self) -> PathBuf {
        let name = format!("backoff-{}.svg", self.file);
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
    }

    fn write(&self, file: &Path, panels: &[Panel<'_>]) -> Drawn {
        let count = u32::try_from(panels.len())?;
        let height = HEADER + count * PANEL;
        let root = SVGBackend::new(file, (WIDTH, height)).into_drawing_area();
        root.fill(&WHITE)?;
        let (header, below) = root.split_vertically(HEADER);
        self.head(&header)?;
        let highest = panels.iter().map(|one| self.highest(one));
        let highest = highest.fold(0.0, f64::max);
        let highest = self.top.map_or(highest, |top| highest.min(top));
        for (area, panel) in below.split_evenly((panels.len(), 1)).iter().zip(panels) {
            self.panel(area, panel, highest)?;
        }
        root.present()?;
        Ok(())
    }

    fn head(&self, area: &Area<'_>) -> Drawn {
        area.draw_text(
            self.title,
            &("sans-serif", 17).into_text_style(area),
            (16, 12),
        )?;
        let small = ("sans-serif", 13).into_text_style(area);
        let mut x = 16;
        for (band, colour) in self.bands.iter().zip(COLOURS) {
            area.draw(&Rectangle::new([(x, 44), (x + 14, 56)], colour.filled()))?;
            area.draw_text(band.name, &small, (x + 20, 43))?;
            x += 150;
        }
        if self.down.is_some() {
            area.draw(&Rectangle::new([(x, 44), (x + 14, 56)], SHADE.filled()))?;
            area.draw_text("outage", &small, (x + 20, 43))?;
            x += 150;
        }
        area.draw_text(&self.scale(), &small, (x, 43))?;
        Ok(())
    }

    fn panel(&self, area: &Area<'_>, panel: &Panel<'_>, highest: f64) -> Drawn {
        let end = self.end.as_secs_f64();
        let mut chart = ChartBuilder::on(area)
            .caption(&panel.caption, ("sans-serif", 14))
            .margin_right(16)
            .x_label_area_size(34)
            .y_label_area_size(64)
            .build_cartesian_2d(0.0..end, 0.0..highest * 1.05)?;
        if let Some(down) = &self.down {
            let corners = [
                (down.start.as_secs_f64(), 0.0),
                (down.end.as_secs_f64(), highest * 1.05),
            ];
            chart.draw_series([Rectangle::new(corners, SHADE.filled())])?;
        }
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .x_labels(17)
            .y_labels(5)
            .x_label_formatter(&|x| format!("{x:.0}"))
            .y_label_formatter(&|y| format!("{y:.0}"))
            .x_desc("seconds")
            .y_desc("requests/s")
            .label_style(("sans-serif", 12))
            .draw()?;
        // The sum of all first: each band then covers all but its own part.
        for count in (1..=self.bands.len()).rev() {
            let points = self.points(panel, &self.bands[..count]);
            let colour = COLOURS[count - 1];
            chart.draw_series(AreaSeries::new(points, 0.0, colour))?;
        }
        Ok(())
    }

    /// As steps: what was counted, and no slope that nobody measured.
    fn points(&self, panel: &Panel<'_>, bands: &[Band]) -> Vec<(f64, f64)> {
        let bucket = self.bucket.as_secs_f64();
        let counts = self.counts(panel, bands).into_iter().enumerate();
        let top = self.top.unwrap_or(f64::MAX);
        let steps = counts.flat_map(|(at, count)| {
            let (from, rate) = (at as f64 * bucket, f64::from(count) / bucket);
            let rate = rate.min(top * 1.05);
            [(from, rate), (from + bucket, rate)]
        });
        steps.collect()
    }

    fn scale(&self) -> String {
        let cut = self.top.map(|top| format!(", cut off at {top}"));
        let cut = cut.unwrap_or_default();
        format!("requests per second, all panels on one scale{cut}")
    }

    fn highest(&self, panel: &Panel<'_>) -> f64 {
        let counts = self.counts(panel, self.bands);
        let highest = counts.into_iter().max().unwrap_or_default();
        f64::from(highest) / self.bucket.as_secs_f64()
    }

    fn counts(&self, panel: &Panel<'_>, bands: &[Band]) -> Vec<u32> {
        let fates: Vec<Fate> = bands.iter().flat_map(|band| band.fates).copied().collect();
        panel.arrivals.histogram(&fates, self.bucket, self.end)
    }
}

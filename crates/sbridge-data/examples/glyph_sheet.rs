//! Draws samples of a built-in image set as one PNG: `glyph_sheet builtin:digits?n=200 sheet.png`.

use std::error::Error;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let source = arguments.next().unwrap_or_else(|| "builtin:glyphs?n=360".to_owned());
    let path = arguments.next().unwrap_or_else(|| "sheet.png".to_owned());
    let start = Instant::now();
    let data = sbridge_data::load(&source)?;
    println!("{} samples read in {:.2?}", data.len(), start.elapsed());
    let levels: Vec<f32> = data.take(400).values().iter().map(|value| value / 255.0).collect();
    sbridge_data::write_png_grid(&path, &levels, data.shape(), 20, 2)?;
    println!("{path} written");
    Ok(())
}

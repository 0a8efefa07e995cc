//! Writes every sample page, with the stylesheets beside it, into a directory: `cargo run --example gallery DIR [ACCENT]`.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use keyfob_pages::{BRAND_STYLESHEET_PATH, Brand, STYLESHEET, STYLESHEET_PATH, brand_stylesheet, samples};

fn main() -> Result<(), Box<dyn Error>> {
    let dir = PathBuf::from(env::args().nth(1).ok_or("usage: gallery DIR [ACCENT]")?);
    let brand = Brand { accent: env::args().nth(2), ..Brand::default() };
    brand.check()?;
    fs::create_dir_all(dir.join("assets"))?;
    for (path, css) in [(STYLESHEET_PATH, STYLESHEET), (BRAND_STYLESHEET_PATH, brand_stylesheet(&brand).as_str())] {
        fs::write(dir.join(path.trim_start_matches('/')), css)?;
    }
    for sample in samples::all() {
        // Relative, so that the files open without a server.
        let html = sample.html.replace("href=\"/assets/", "href=\"assets/");
        fs::write(dir.join(sample.name).with_extension("html"), html)?;
    }
    Ok(())
}

//! Digits and capital letters as if written by hand, 28×28, 0 is background and 255 is ink.
//!
//! A glyph is a few strokes in a unit box (`strokes`). Every sample bends, slants, turns, scales
//! and moves them, and picks a pen (`hand`); then the distance to the strokes becomes ink
//! (`render`). Every label of the alphabet is equally likely.

mod hand;
mod render;
// A table of coordinates reads better in rows than in columns.
#[rustfmt::skip]
mod strokes;

use rand::RngExt;
use rayon::prelude::*;

use super::request::Request;
use super::stream;
use crate::element::ElementType;
use crate::layout::Contents;
use crate::reading::Reading;
use crate::{Result, SampleShape};

use hand::Hand;
use render::{SIDE, render};
use strokes::variants;

/// A range of labels: 0–9 are the digits, 10–35 the letters from A on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Alphabet {
    first: u32,
    end: u32,
}

impl Alphabet {
    pub(crate) const DIGITS: Self = Self { first: 0, end: 10 };
    pub(crate) const LETTERS: Self = Self { first: 10, end: 36 };
    pub(crate) const DIGITS_AND_LETTERS: Self = Self { first: 0, end: 36 };
}

/// Draws as many glyphs as requested.
///
/// # Errors
/// When they pass the limits.
pub(crate) fn generate(alphabet: Alphabet, request: &Request, reading: &Reading) -> Result<Contents> {
    let pixels = SIDE * SIDE;
    let size = reading.admit(&[request.count as u64, pixels as u64])?;
    let mut values = vec![0.0; size];
    let labels = values
        .par_chunks_exact_mut(pixels)
        .enumerate()
        .map(|(index, image)| draw(alphabet, request.seed, index, image))
        .collect();
    let shape = SampleShape::Image { channels: 1, height: SIDE, width: SIDE };
    let mut contents = Contents::new(shape, values, ElementType::U8);
    contents.labels = Some(labels);
    contents.label_names = Some(('0'..='9').chain('A'..='Z').map(String::from).collect());
    Ok(contents)
}

/// Draws sample `index` and returns its label.
fn draw(alphabet: Alphabet, seed: u64, index: usize, image: &mut [f32]) -> u32 {
    let mut rng = stream(seed, index);
    let label = rng.random_range(alphabet.first..alphabet.end);
    let choices = variants(label);
    let glyph = choices[rng.random_range(0..choices.len())];
    let hand = Hand::draw(&mut rng);
    render(&hand.write(glyph), hand.pen(), &mut rng, image);
    label
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Limits;

    fn glyphs(alphabet: Alphabet, count: usize) -> Contents {
        let limits = Limits::default();
        generate(
            alphabet,
            &Request { set: 0, count, seed: 2 },
            &Reading { source: "builtin:…", limits: &limits },
        )
        .unwrap()
    }

    #[test]
    fn pixels_are_whole_levels_on_a_black_ground() {
        let contents = glyphs(Alphabet::DIGITS_AND_LETTERS, 300);
        for image in contents.values.as_f32().chunks_exact(SIDE * SIDE) {
            assert!(image.iter().all(|v| (0.0..=255.0).contains(v) && v.fract() == 0.0));
            let ink = image.iter().filter(|&&v| v > 0.0).count() as f32 / image.len() as f32;
            // MNIST inks 19 % of its pixels on average; a 1 far fewer, a wide pen on an M far more.
            assert!((0.03..0.65).contains(&ink), "{ink}");
        }
    }

    #[test]
    fn the_border_is_empty() {
        for image in glyphs(Alphabet::DIGITS_AND_LETTERS, 300).values.as_f32().chunks_exact(SIDE * SIDE) {
            assert!(image[..SIDE].iter().chain(&image[SIDE * (SIDE - 1)..]).all(|&v| v == 0.0));
        }
    }

    #[test]
    fn labels_keep_to_their_alphabet_and_are_about_as_frequent() {
        let labels = glyphs(Alphabet::LETTERS, 2600).labels.unwrap();
        for label in 10..36 {
            let count = labels.iter().filter(|&&l| l == label).count() as i32;
            // Expected 100 with deviation √(100·25/26) < 10; five of these.
            assert!((count - 100).abs() < 50, "{label}: {count}");
        }
    }

    #[test]
    fn the_nearest_class_mean_tells_most_digits_apart() {
        let train = glyphs(Alphabet::DIGITS, 1000);
        let labels = train.labels.unwrap();
        let mut means = vec![vec![0.0f32; SIDE * SIDE]; 10];
        let mut counts = [0.0f32; 10];
        for (image, &label) in train.values.as_f32().chunks_exact(SIDE * SIDE).zip(&labels).take(700) {
            counts[label as usize] += 1.0;
            means[label as usize].iter_mut().zip(image).for_each(|(m, v)| *m += v);
        }
        let distance = |image: &[f32], k: usize| -> f32 {
            means[k].iter().zip(image).map(|(m, v)| (m / counts[k] - v).powi(2)).sum()
        };
        let nearest = |image: &[f32]| {
            (0..10).min_by(|&a, &b| distance(image, a).total_cmp(&distance(image, b))).unwrap()
        };
        let test = train.values.as_f32().chunks_exact(SIDE * SIDE).zip(&labels).skip(700);
        let correct = test.filter(|(image, label)| nearest(image) == **label as usize).count();
        // On MNIST this classifier reaches 82 %; chance is 10 %. Varied and legible lies between.
        assert!(correct > 180, "{correct} of 300");
    }
}

//! Published data sets give the counts published with them; skipped where they are not present.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use sbridge_data::{ElementType, SampleShape, inspect, load};

/// The path of a data file, or `None` with a line that says so.
fn data(name: &str) -> Option<String> {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(name);
    if !path.exists() {
        println!("skipped: {} is not present", path.display());
        return None;
    }
    Some(path.to_string_lossy().into_owned())
}

#[test]
fn mnist_test_images_bring_their_labels() {
    let Some(path) = data("mnist/t10k-images-idx3-ubyte.gz") else {
        return;
    };
    let set = load(&path).unwrap();
    assert_eq!(set.len(), 10_000);
    assert_eq!(set.shape(), SampleShape::Image { channels: 1, height: 28, width: 28 });
    assert_eq!(set.labels().unwrap()[..10], [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
    assert_eq!(set.value_range(), (0.0, 255.0));
    assert_eq!(set.sha256(), "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6");
    assert!(set.notes().iter().any(|note| note.contains("labels read from")));
}

#[test]
fn mnist_training_classes_have_the_published_sizes() {
    let Some(path) = data("mnist/train-images-idx3-ubyte.gz") else {
        return;
    };
    let set = load(&path).unwrap();
    let labels = set.labels().unwrap();
    assert_eq!(labels[..10], [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
    let mut counts = [0; 10];
    labels.iter().for_each(|&label| counts[label as usize] += 1);
    assert_eq!(counts, [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
}

#[test]
fn mnist_inspection_counts_the_classes() {
    let Some(path) = data("mnist/t10k-images-idx3-ubyte.gz") else {
        return;
    };
    let inspection = inspect(&path).unwrap();
    let counts: Vec<usize> = inspection.classes.as_ref().unwrap().iter().map(|class| class.count).collect();
    assert_eq!(counts, [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
    assert_eq!((inspection.duplicate_rows, inspection.non_finite), (0, None));
    println!("{inspection}");
}

#[test]
fn mnist_labels_alone_are_a_set_of_numbers() {
    let Some(path) = data("mnist/t10k-labels-idx1-ubyte.gz") else {
        return;
    };
    let set = load(&path).unwrap();
    assert_eq!((set.len(), set.shape()), (10_000, SampleShape::Vector { dim: 1 }));
    assert_eq!(set.values()[..4], [7.0, 2.0, 1.0, 0.0]);
}

#[test]
fn single_cell_days_have_the_published_sizes() {
    for (day, count) in [(2, 6071), (3, 7643), (4, 8485), (7, 7195)] {
        let Some(path) = data(&format!("cite/full_cite_pcas_50_day_{day}.npy")) else {
            return;
        };
        let set = load(&path).unwrap();
        assert_eq!((set.len(), set.shape()), (count, SampleShape::Vector { dim: 50 }));
        let (low, high) = set.value_range();
        // The published range over the four days is -103 to 139, to the next whole number.
        assert!(low > -104.0 && high < 140.0, "{low} {high}");
    }
}

#[test]
fn logistic_regression_sets_have_labels_and_known_oddities() {
    let Some(path) = data("logreg/ionosphere.npz") else {
        return;
    };
    let inspection = inspect(&format!("{path}#x")).unwrap();
    assert_eq!((inspection.count, inspection.shape.size()), (351, 34));
    assert_eq!(inspection.first_constant_columns, [1]);
    assert_eq!(inspection.duplicate_rows, 1);
    let counts: Vec<usize> = inspection.classes.unwrap().iter().map(|class| class.count).collect();
    assert_eq!(counts, [126, 225]);

    let Some(path) = data("logreg/sonar.npz") else {
        return;
    };
    let sonar = load(&format!("{path}#x")).unwrap();
    assert_eq!((sonar.len(), sonar.shape().size()), (208, 60));
    assert_eq!(sonar.labels().unwrap().iter().filter(|&&label| label == 1).count(), 97);
    let error = load(&path).unwrap_err().to_string();
    assert!(error.contains("x, y") && error.contains("#x"), "{error}");
}

#[test]
fn pine_saplings_lose_their_row_numbers() {
    let Some(path) = data("pines/fpines.csv") else {
        return;
    };
    let set = load(&path).unwrap();
    assert_eq!((set.len(), set.shape()), (126, SampleShape::Vector { dim: 2 }));
    assert_eq!(set.column_names().unwrap(), ["data_x", "data_y"]);
    assert_eq!(set.dtype(), ElementType::Text);
    let (low, high) = set.value_range();
    assert!(low >= 0.0 && high <= 1.0, "{low} {high}");
    assert!(set.notes().iter().any(|note| note.contains("an index")));
}

#[test]
fn a_format_that_is_not_read_is_refused_with_the_list_of_those_that_are() {
    let Some(path) = data("logreg/german.data-numeric") else {
        return;
    };
    let error = load(&path).unwrap_err().to_string();
    assert!(error.contains(".data-numeric") && error.contains("can read: IDX"), "{error}");
}

//! Text from a file as a message may show it: short, on one line, and without control characters.

/// How much of a text a message shows.
const CHARACTERS: usize = 40;
/// How many names a message lists.
const NAMES: usize = 12;

/// The beginning of a text; control characters, line breaks among them, become U+FFFD.
pub(crate) fn shown(text: &str) -> String {
    let visible = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    let short: String = text.chars().take(CHARACTERS).map(visible).collect();
    if text.chars().nth(CHARACTERS).is_some() { short + "…" } else { short }
}

/// A text whose parts between control characters, as decoders and names may bring them, form one line.
pub(crate) fn on_one_line(text: String) -> String {
    if !text.contains(char::is_control) {
        return text;
    }
    let parts = text.split(char::is_control).map(str::trim).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join(" ")
}

/// The first names, each as [`shown`], with commas between them.
pub(crate) fn listed(names: &[String]) -> String {
    let first: Vec<String> = names.iter().take(NAMES).map(|name| shown(name)).collect();
    let more = if names.len() > first.len() { ", …" } else { "" };
    first.join(", ") + more
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_stays_short_and_on_one_line() {
        assert_eq!(shown("sepal length"), "sepal length");
        assert_eq!(shown("a\n\u{1b}[31mb"), "a\u{fffd}\u{fffd}[31mb");
        assert_eq!(shown(&"x".repeat(1 << 20)), "x".repeat(CHARACTERS) + "…");
        assert_eq!(on_one_line("no bytes:\n\texpected 1\n".to_owned()), "no bytes: expected 1");
        let names: Vec<String> = (0..1000).map(|k: u32| k.to_string()).collect();
        assert_eq!(listed(&names), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, …");
    }
}

//! Makes a guest's text fit to be shown to people.

/// The text without control characters, cut to at most `limit` bytes at the end of a character.
pub(crate) fn clean(text: &str, limit: usize) -> String {
    let mut cleaned = String::with_capacity(text.len().min(limit));
    for character in text.chars().filter(|character| !is_control(*character)) {
        if cleaned.len() + character.len_utf8() > limit {
            break;
        }
        cleaned.push(character);
    }
    cleaned
}

/// As [`clean`], but leaves a text that needs no change where it is.
pub(crate) fn cleaned(text: String, limit: usize) -> String {
    if text.len() <= limit && !text.chars().any(is_control) { text } else { clean(&text, limit) }
}

/// Control characters move a terminal's cursor or colour it; the directional ones reorder what is shown.
fn is_control(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_go_and_the_rest_stays() {
        assert_eq!(clean("a\u{1b}[31mb\r\n\tc\u{202e}d\0é", 100), "a[31mbcdé");
        assert_eq!(cleaned("plain".to_owned(), 100), "plain");
    }

    #[test]
    fn a_cut_never_splits_a_character() {
        assert_eq!(clean("ééé", 5), "éé");
        assert_eq!(cleaned("ééé".to_owned(), 3), "é");
        assert_eq!(clean("é", 1), "");
    }
}

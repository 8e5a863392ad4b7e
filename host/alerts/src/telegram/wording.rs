//! Text that Telegram takes for nothing but text, and that is not too long for it.

/// Cuts a text off where it is longer than so many UTF-16 units, which is what Telegram counts, and says so.
pub(crate) fn fitting(text: &str, most: usize) -> String {
    if text.encode_utf16().count() <= most {
        return text.to_owned();
    }
    let mut kept = String::new();
    // One for the mark at the end.
    let mut units = 1;
    for character in text.chars() {
        units += character.len_utf16();
        if units > most {
            break;
        }
        kept.push(character);
    }
    kept.push('…');
    kept
}

/// Escapes what would be markup.
pub(crate) fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            _ => html.push(character),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_outside_the_first_plane_counts_twice() {
        assert_eq!(fitting("ab😀", 4), "ab😀");
        assert_eq!(fitting("ab😀", 3), "ab…");
        assert_eq!(fitting("😀😀😀", 5), "😀😀…");
        assert_eq!(fitting("😀😀😀", 4), "😀…");
    }
}

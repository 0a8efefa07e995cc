//! As much of HTTP/1.1 as the load generator needs: the status, and where a reply ends.

/// A complete reply at the beginning of a buffer.
pub(crate) struct Reply<'b> {
    pub(crate) status: u16,
    pub(crate) body: &'b [u8],
}

/// The reply in `bytes`, if it is complete. Only replies with a `content-length` are understood; both servers send no others.
pub(crate) fn read(bytes: &[u8]) -> Option<Reply<'_>> {
    let head = find(bytes, b"\r\n\r\n")?;
    let status = std::str::from_utf8(bytes.get(9..12)?).ok()?.parse().ok()?;
    // Lower case is how hyper writes it, the other is how most others do.
    let names: [&[u8]; 2] = [b"\r\ncontent-length: ", b"\r\nContent-Length: "];
    let length = names.iter().find_map(|name| find(&bytes[..head + 2], name)).map_or(0, |at| number(&bytes[at + 18..]));
    let body = bytes.get(head + 4..head + 4 + length)?;
    Some(Reply { status, body })
}

/// The value of a JSON member whose value is a string without escapes, searched for from the end.
pub(crate) fn member<'b>(body: &'b [u8], opening: &[u8]) -> Option<&'b [u8]> {
    let start = (0..body.len().checked_sub(opening.len())?).rev().find(|at| body[*at..].starts_with(opening))?;
    let value = &body[start + opening.len()..];
    value.split(|byte| *byte == b'"').next()
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|byte| *byte == wanted[0]) {
        if bytes[from + at..].starts_with(wanted) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

fn number(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| byte.is_ascii_digit()).fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_complete_with_its_body() {
        let bytes = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nhi";
        let reply = read(bytes).expect("complete");
        assert_eq!((reply.status, reply.body), (200, b"hi".as_slice()));
        assert!(read(&bytes[..bytes.len() - 1]).is_none());
    }

    #[test]
    fn the_last_member_of_a_name_is_found() {
        let body = br#"{"a":"1","refresh_token":"x"}"#;
        assert_eq!(member(body, br#""refresh_token":""#), Some(b"x".as_slice()));
        assert_eq!(member(body, br#""none":""#), None);
    }
}

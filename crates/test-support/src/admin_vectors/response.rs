//! A response to a step.

/// A response as the client got it.
#[derive(Debug)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// All headers, in small letters.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: String,
}

impl Response {
    /// The value of a header; those of one that was sent several times, separated by commas.
    pub(super) fn header(&self, name: &str) -> Option<String> {
        let named = self.headers.iter().filter(|(header, _)| header == name);
        let values: Vec<&str> = named.map(|(_, value)| value.as_str()).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }
}

//! Configurations of words and blocks in braces: nginx and Caddy.

/// A directive: its words, and those in its block.
#[derive(Debug, Default)]
pub(super) struct Directive {
    pub words: Vec<String>,
    pub block: Vec<Directive>,
}

impl Directive {
    pub(super) fn name(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    /// The words after the name.
    pub(super) fn arguments(&self) -> &[String] {
        self.words.get(1..).unwrap_or_default()
    }

    /// The directives of this name in its block.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Directive> {
        self.block.iter().filter(move |directive| directive.name() == name)
    }

    /// Itself, and all directives within it.
    pub(super) fn within(&self) -> Vec<&Directive> {
        let mut found = vec![self];
        found.extend(self.block.iter().flat_map(Directive::within));
        found
    }
}

#[derive(PartialEq)]
enum Token {
    Word(String),
    Open,
    Close,
    /// The end of a directive without a block.
    End,
}

/// nginx: a directive ends at its semicolon.
pub(super) fn nginx(text: &str) -> Directive {
    tree(tokens(text, true))
}

/// Caddy: a directive ends with its line.
pub(super) fn caddy(text: &str) -> Directive {
    tree(tokens(text, false))
}

fn tokens(text: &str, is_nginx: bool) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(first) = rest.next() {
        match first {
            '\n' if !is_nginx => tokens.push(Token::End),
            _ if first.is_whitespace() => (),
            '#' => while rest.next_if(|next| *next != '\n').is_some() {},
            ';' if is_nginx => tokens.push(Token::End),
            '{' if is_nginx || rest.peek().is_none_or(|next| next.is_whitespace()) => {
                tokens.push(Token::Open)
            }
            '}' => tokens.push(Token::Close),
            '"' | '\'' | '`' if is_nginx == (first != '`') || first == '"' => {
                let mut word = String::new();
                while let Some(next) = rest.next_if(|next| *next != first) {
                    word.push(next);
                    // An escaped character stays as it is: quotes would be the exception.
                    if next == '\\' {
                        word.extend(rest.next());
                    }
                }
                assert_eq!(rest.next(), Some(first), "the end of {word}");
                tokens.push(Token::Word(word));
            }
            _ => {
                let mut word = String::from(first);
                let ends = |next: &char| next.is_whitespace() || (is_nginx && ";{".contains(*next));
                while let Some(next) = rest.next_if(|next| !ends(next)) {
                    word.push(next);
                }
                tokens.push(Token::Word(word));
            }
        }
    }
    tokens
}

fn tree(tokens: Vec<Token>) -> Directive {
    let mut open = vec![Directive::default()];
    let mut current = Directive::default();
    for token in tokens {
        match token {
            Token::Word(word) => current.words.push(word),
            Token::Open => open.push(std::mem::take(&mut current)),
            Token::End if current.words.is_empty() => (),
            Token::End => {
                let block = &mut open.last_mut().expect("a block").block;
                block.push(std::mem::take(&mut current));
            }
            Token::Close => {
                assert!(current.words.is_empty(), "an end of {current:?}");
                let closed = open.pop().expect("a block");
                open.last_mut().expect("an opened block").block.push(closed);
            }
        }
    }
    assert_eq!((open.len(), current.words.len()), (1, 0), "the end of a block");
    open.remove(0)
}

//! From text to tokens.

use super::fault::{Place, RuleError};
use super::syntax::{Op, Token};

/// Words that CEL keeps for itself.
const KEPT: &[&str] = &[
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
    "null",
];

/// Cuts a text into tokens, each with the byte at which it begins; the last one is the end.
pub(super) fn tokens(text: &str) -> Result<Vec<(usize, Token)>, RuleError> {
    let mut lexer = Lexer { text, at: 0 };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blank();
        let at = lexer.at;
        let token = lexer.token()?;
        let end = token == Token::End;
        tokens.push((at, token));
        if end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn wrong<T>(&self, at: usize, what: impl Into<String>) -> Result<T, RuleError> {
        Err(RuleError::Syntax {
            at: Place::of(self.text, at),
            what: what.into(),
        })
    }

    /// Passes blanks, and comments from `//` to the end of the line.
    fn skip_blank(&mut self) {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
            self.at += blank;
            if self.rest().starts_with("//") {
                self.at += self.rest().find('\n').unwrap_or(self.rest().len());
            } else if blank == 0 {
                return;
            }
        }
    }

    /// Takes the characters for as long as they fit.
    fn take_while(&mut self, fits: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|next| !fits(next)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn token(&mut self) -> Result<Token, RuleError> {
        let Some(first) = self.rest().chars().next() else {
            return Ok(Token::End);
        };
        let raw = ["r'", "r\"", "R'", "R\""];
        if first.is_ascii_digit() {
            self.number()
        } else if first == '"' || first == '\'' {
            self.quoted()
        } else if raw.iter().any(|start| self.rest().starts_with(start)) {
            self.raw()
        } else if first == '_' || first.is_ascii_alphabetic() {
            self.word()
        } else {
            self.sign(first)
        }
    }

    fn number(&mut self) -> Result<Token, RuleError> {
        let at = self.at;
        let digits = self.take_while(|next| next.is_ascii_alphanumeric());
        let hex = digits.strip_prefix("0x").or(digits.strip_prefix("0X"));
        let read = match hex {
            Some(hex) => u64::from_str_radix(hex, 16),
            None => digits.parse(),
        };
        let fraction = self
            .rest()
            .strip_prefix('.')
            .is_some_and(|rest| rest.starts_with(|next: char| next.is_ascii_digit()));
        match read {
            _ if fraction => self.wrong(at, "numbers are whole: there are no floats in a rule"),
            Ok(number) if number <= 1 << 63 => Ok(Token::Int(number)),
            _ => self.wrong(
                at,
                format!("`{digits}` is no whole number in range (no floats, no unsigned)"),
            ),
        }
    }

    fn word(&mut self) -> Result<Token, RuleError> {
        let at = self.at;
        let word = self.take_while(|next| next == '_' || next.is_ascii_alphanumeric());
        if KEPT.contains(&word) {
            return self.wrong(at, format!("`{word}` is a reserved word"));
        }
        Ok(match word {
            "in" => Token::Op(Op::In),
            _ => Token::Name(word.into()),
        })
    }

    fn raw(&mut self) -> Result<Token, RuleError> {
        let at = self.at;
        self.at += 1;
        let quote = if self.rest().starts_with('"') {
            '"'
        } else {
            '\''
        };
        self.at += 1;
        let inside = self.take_while(|next| next != quote && next != '\n');
        if !self.rest().starts_with(quote) {
            return self.wrong(at, "the text has no end");
        }
        self.at += 1;
        Ok(Token::Text(inside.into()))
    }

    fn quoted(&mut self) -> Result<Token, RuleError> {
        let at = self.at;
        let mut chars = self.rest().char_indices();
        let quote = chars.next().map_or('"', |(_, quote)| quote);
        let mut built = String::new();
        while let Some((offset, next)) = chars.next() {
            match next {
                '\n' => break,
                '\\' => match escape(&mut chars) {
                    Some(real) => built.push(real),
                    None => return self.wrong(at + offset, "an escape that does not exist"),
                },
                _ if next == quote => {
                    self.at = at + offset + 1;
                    return Ok(Token::Text(built.into()));
                }
                _ => built.push(next),
            }
        }
        self.wrong(at, "the text has no end")
    }

    fn sign(&mut self, first: char) -> Result<Token, RuleError> {
        const PAIRS: &[(&str, Op)] = &[
            ("||", Op::Or),
            ("&&", Op::And),
            ("==", Op::Equal),
            ("!=", Op::Unequal),
            ("<=", Op::AtMost),
            (">=", Op::AtLeast),
        ];
        if let Some((pair, op)) = PAIRS.iter().find(|(pair, _)| self.rest().starts_with(pair)) {
            self.at += pair.len();
            return Ok(Token::Op(*op));
        }
        let token = match first {
            '<' => Token::Op(Op::Less),
            '>' => Token::Op(Op::More),
            '+' => Token::Op(Op::Plus),
            '-' => Token::Op(Op::Minus),
            '*' => Token::Op(Op::Times),
            '/' => Token::Op(Op::Over),
            '%' => Token::Op(Op::Rest),
            '!' => Token::Not,
            '?' => Token::Question,
            ':' => Token::Colon,
            ',' => Token::Comma,
            '.' => Token::Dot,
            '(' => Token::Open,
            ')' => Token::Close,
            '[' => Token::OpenList,
            ']' => Token::CloseList,
            _ => {
                let what = format!("`{}` means nothing here", first.escape_default());
                return self.wrong(self.at, what);
            }
        };
        self.at += first.len_utf8();
        Ok(token)
    }
}

/// The character that an escape stands for.
fn escape(chars: &mut std::str::CharIndices<'_>) -> Option<char> {
    Some(match chars.next()?.1 {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        same @ ('\\' | '"' | '\'' | '`' | '?') => same,
        'x' | 'X' => coded(chars, 2)?,
        'u' => coded(chars, 4)?,
        'U' => coded(chars, 8)?,
        _ => return None,
    })
}

fn coded(chars: &mut std::str::CharIndices<'_>, digits: usize) -> Option<char> {
    let mut number = 0_u32;
    for _ in 0..digits {
        let digit = chars.next()?.1.to_digit(16)?;
        number = number.checked_mul(16)?.checked_add(digit)?;
    }
    char::from_u32(number)
}

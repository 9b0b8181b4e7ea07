//! From tokens to nodes.

use super::fault::{Place, RuleError};
use super::syntax::{Kind, Node, Op, Token};
use super::{DEPTH_MOST, NODES_MOST};

/// Reads one expression.
pub(super) fn parse(text: &str, tokens: Vec<(usize, Token)>) -> Result<Node, RuleError> {
    let mut parser = Parser {
        text,
        tokens,
        next: 0,
        nodes: 0,
        inside: 0,
    };
    let node = parser.expression()?;
    parser.want(Token::End, "the end, or an operator")?;
    Ok(node)
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<(usize, Token)>,
    next: usize,
    nodes: usize,
    /// How many expressions are open: a bound on our own stack.
    inside: usize,
}

impl Parser<'_> {
    fn peek(&self) -> &Token {
        self.tokens
            .get(self.next)
            .map_or(&Token::End, |(_, token)| token)
    }

    /// The byte at which the next token begins.
    fn at(&self) -> usize {
        self.tokens
            .get(self.next)
            .map_or(self.text.len(), |(at, _)| *at)
    }

    fn take(&mut self) -> Token {
        let token = self.peek().clone();
        self.next += 1;
        token
    }

    fn took(&mut self, token: &Token) -> bool {
        let is = self.peek() == token;
        self.next += usize::from(is);
        is
    }

    fn want(&mut self, token: Token, what: &str) -> Result<(), RuleError> {
        if self.took(&token) {
            return Ok(());
        }
        self.wrong(format!("wanted {what}, found {}", shown(self.peek())))
    }

    fn wrong<T>(&self, what: String) -> Result<T, RuleError> {
        Err(RuleError::Syntax {
            at: Place::of(self.text, self.at()),
            what,
        })
    }

    fn deep<T>(&self, at: usize) -> Result<T, RuleError> {
        Err(RuleError::Deep {
            at: Place::of(self.text, at),
        })
    }

    fn node(&mut self, at: usize, below: usize, kind: Kind) -> Result<Node, RuleError> {
        self.nodes += 1;
        if self.nodes > NODES_MOST {
            return Err(RuleError::Large);
        }
        let depth = below + 1;
        if depth > DEPTH_MOST {
            return self.deep(at);
        }
        Ok(Node { at, depth, kind })
    }

    /// Runs a part that may come back here, and refuses what would go too deep.
    fn deeper<T>(
        &mut self,
        part: impl FnOnce(&mut Self) -> Result<T, RuleError>,
    ) -> Result<T, RuleError> {
        if self.inside >= DEPTH_MOST {
            return self.deep(self.at());
        }
        self.inside += 1;
        let done = part(self);
        self.inside -= 1;
        done
    }

    fn expression(&mut self) -> Result<Node, RuleError> {
        self.deeper(|this| {
            let at = this.at();
            let test = this.binary(1)?;
            if !this.took(&Token::Question) {
                return Ok(test);
            }
            let then = this.binary_or_either()?;
            this.want(Token::Colon, "`:`")?;
            let other = this.expression()?;
            let below = test.depth.max(then.depth).max(other.depth);
            let kind = Kind::Either(Box::new(test), Box::new(then), Box::new(other));
            this.node(at, below, kind)
        })
    }

    /// Between `?` and `:` CEL takes no second `?` without brackets.
    fn binary_or_either(&mut self) -> Result<Node, RuleError> {
        self.deeper(|this| this.binary(1))
    }

    fn binary(&mut self, least: u8) -> Result<Node, RuleError> {
        let at = self.at();
        let mut left = self.unary()?;
        while let Token::Op(op) = *self.peek() {
            if op.power() < least {
                break;
            }
            self.next += 1;
            let right = self.deeper(|this| this.binary(op.power() + 1))?;
            let below = left.depth.max(right.depth);
            let kind = Kind::Binary(op, Box::new(left), Box::new(right));
            left = self.node(at, below, kind)?;
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Node, RuleError> {
        let at = self.at();
        if self.took(&Token::Not) {
            let inner = self.deeper(Self::unary)?;
            let below = inner.depth;
            return self.node(at, below, Kind::Not(Box::new(inner)));
        }
        if !self.took(&Token::Op(Op::Minus)) {
            return self.postfix();
        }
        if let Token::Int(number) = *self.peek() {
            // The least number has no positive twin, so sign and digits are read together.
            self.next += 1;
            let number = 0_i64.checked_sub_unsigned(number);
            let first = match number {
                Some(number) => self.node(at, 0, Kind::Int(number))?,
                None => return self.wrong("a number is out of range".into()),
            };
            return self.postfix_of(first);
        }
        let inner = self.deeper(Self::unary)?;
        let below = inner.depth;
        self.node(at, below, Kind::Negate(Box::new(inner)))
    }

    fn postfix(&mut self) -> Result<Node, RuleError> {
        let first = self.primary()?;
        self.postfix_of(first)
    }

    fn postfix_of(&mut self, mut node: Node) -> Result<Node, RuleError> {
        loop {
            let (at, below) = (self.at(), node.depth);
            if self.took(&Token::Dot) {
                let Token::Name(name) = self.peek().clone() else {
                    return self.wrong(format!(
                        "wanted a field's name, found {}",
                        shown(self.peek())
                    ));
                };
                let at = self.at();
                self.next += 1;
                node = if self.took(&Token::Open) {
                    let args = self.list_until(&Token::Close)?;
                    let below = deepest(&args).max(below);
                    self.node(at, below, Kind::Call(Some(Box::new(node)), name, args))?
                } else {
                    self.node(at, below, Kind::Field(Box::new(node), name))?
                };
            } else if self.took(&Token::OpenList) {
                let index = self.expression()?;
                self.want(Token::CloseList, "`]`")?;
                let below = below.max(index.depth);
                node = self.node(at, below, Kind::Index(Box::new(node), Box::new(index)))?;
            } else {
                return Ok(node);
            }
        }
    }

    fn primary(&mut self) -> Result<Node, RuleError> {
        let at = self.at();
        match self.take() {
            Token::Int(number) => match i64::try_from(number) {
                Ok(number) => self.node(at, 0, Kind::Int(number)),
                Err(_) => {
                    self.next -= 1;
                    self.wrong("a number is out of range".into())
                }
            },
            Token::Text(text) => self.node(at, 0, Kind::Text(text)),
            Token::Name(name) if matches!(&*name, "true" | "false") => {
                self.node(at, 0, Kind::Bool(&*name == "true"))
            }
            Token::Name(name) if self.took(&Token::Open) => {
                let args = self.list_until(&Token::Close)?;
                let below = deepest(&args);
                self.node(at, below, Kind::Call(None, name, args))
            }
            Token::Name(name) => self.node(at, 0, Kind::Name(name)),
            Token::Open => {
                let inner = self.expression()?;
                self.want(Token::Close, "`)`")?;
                Ok(inner)
            }
            Token::OpenList => {
                let parts = self.list_until(&Token::CloseList)?;
                let below = deepest(&parts);
                self.node(at, below, Kind::List(parts))
            }
            other => {
                self.next -= 1;
                self.wrong(format!("wanted a value, found {}", shown(&other)))
            }
        }
    }

    /// Expressions with commas between them, up to a closing token.
    fn list_until(&mut self, close: &Token) -> Result<Vec<Node>, RuleError> {
        let mut parts = Vec::new();
        if self.took(close) {
            return Ok(parts);
        }
        loop {
            parts.push(self.expression()?);
            if self.took(close) {
                return Ok(parts);
            }
            self.want(Token::Comma, "`,` or the end of the list")?;
        }
    }
}

fn deepest(nodes: &[Node]) -> usize {
    nodes.iter().map(|node| node.depth).max().unwrap_or(0)
}

/// A token in a message.
fn shown(token: &Token) -> String {
    let sign = match token {
        Token::Int(number) => return format!("`{number}`"),
        Token::Name(name) => return format!("`{name}`"),
        Token::Text(_) => return "a text".into(),
        Token::End => return "the end".into(),
        Token::Op(op) => op.sign(),
        Token::Not => "!",
        Token::Question => "?",
        Token::Colon => ":",
        Token::Comma => ",",
        Token::Dot => ".",
        Token::Open => "(",
        Token::Close => ")",
        Token::OpenList => "[",
        Token::CloseList => "]",
    };
    format!("`{sign}`")
}

//! Layers as plain data: what a layer is called, and its fields by name.
//!
//! A network arrives as nested descriptions, in the form that `to_dict` has in Python, with all fields given. What builds
//! a layer takes the fields that it knows one by one, and [`Description::end`] refuses the others. Errors name the layer,
//! the field, what was given and what is expected.

use crate::error::{Error, Result};
use std::fmt;
use std::sync::Arc;

/// Values of a function at many points; `None` where it failed in a way that its owner knows of.
pub type Values = dyn Fn(&[f64]) -> Option<Vec<f64>> + Send + Sync;

/// The value of a field.
#[derive(Clone)]
pub enum Value {
    /// Nothing, where a field may be left open.
    None,
    /// A truth value.
    Flag(bool),
    /// An integer, such as a width.
    Integer(i64),
    /// A real number.
    Real(f64),
    /// A word, such as a padding.
    Text(String),
    /// Several values.
    List(Vec<Value>),
    /// The layers of a composition, which other compositions may share; never empty, as a list without anything is a
    /// [`Value::List`].
    Layers(Arc<[Description]>),
    /// A function known by its values.
    Function(Arc<Values>),
}

impl Value {
    /// A finite number; an integer is one.
    pub fn real(&self) -> Option<f64> {
        match self {
            Self::Real(value) => Some(*value).filter(|value| value.is_finite()),
            Self::Integer(value) => Some(*value as f64),
            _ => None,
        }
    }

    /// An integer that is not negative; a real number is none, whatever its value.
    pub fn count(&self) -> Option<usize> {
        if let Self::Integer(value) = self { usize::try_from(*value).ok() } else { None }
    }

    /// A truth value.
    pub fn flag(&self) -> Option<bool> {
        if let Self::Flag(value) = self { Some(*value) } else { None }
    }

    /// A text.
    pub fn text(&self) -> Option<&str> {
        if let Self::Text(value) = self { Some(value) } else { None }
    }

    /// A function.
    pub fn function(&self) -> Option<Arc<Values>> {
        if let Self::Function(value) = self { Some(Arc::clone(value)) } else { None }
    }

    /// A list whose items are all read in one way.
    pub fn list<T>(&self, read: impl Fn(&Self) -> Option<T>) -> Option<Vec<T>> {
        if let Self::List(items) = self { items.iter().map(read).collect() } else { None }
    }

    /// Nothing, or else what is read.
    pub fn or_none<T>(&self, read: impl FnOnce(&Self) -> Option<T>) -> Option<Option<T>> {
        if let Self::None = self { Some(None) } else { read(self).map(Some) }
    }
}

/// As Python prints it.
impl fmt::Display for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => out.write_str("None"),
            Self::Flag(true) => out.write_str("True"),
            Self::Flag(false) => out.write_str("False"),
            Self::Integer(value) => write!(out, "{value}"),
            Self::Real(value) => write!(out, "{value:?}"),
            Self::Text(value) => write!(out, "'{value}'"),
            Self::List(items) if items.len() > 8 => write!(out, "a list of {} values", items.len()),
            Self::List(items) => {
                let items: Vec<String> = items.iter().map(ToString::to_string).collect();
                write!(out, "[{}]", items.join(", "))
            }
            Self::Layers(layers) => write!(out, "a list of layers ({})", layers.len()),
            Self::Function(_) => out.write_str("a function"),
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{self}")
    }
}

macro_rules! values {
    ($($variant:ident($from:ty)),* $(,)?) => {
        $(impl From<$from> for Value {
            fn from(value: $from) -> Self {
                Self::$variant(value.into())
            }
        })*
    };
}

values! {
    Flag(bool),
    Integer(i32),
    Real(f64),
    Text(&str),
    List(Vec<Value>),
    Layers(Vec<Description>),
    Function(Arc<Values>),
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::None, Into::into)
    }
}

impl<T: Into<Value> + Copy> From<&[T]> for Value {
    fn from(items: &[T]) -> Self {
        Self::List(items.iter().map(|item| (*item).into()).collect())
    }
}

/// What a layer is called, and those of its fields that nobody has taken yet.
#[derive(Clone, Debug)]
pub struct Description {
    kind: String,
    fields: Vec<(String, Value)>,
}

impl Description {
    /// A layer without fields.
    pub fn new(kind: impl Into<String>) -> Self {
        Self { kind: kind.into(), fields: Vec::new() }
    }

    /// The same layer with this field, which it does not have yet.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }

    /// What the layer is called.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Take a field as what `read` makes of it.
    ///
    /// # Errors
    /// [`Error::Network`] where the field is missing, or `read` makes nothing of it.
    pub fn take<T>(
        &mut self,
        name: &str,
        expected: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<T> {
        let value = self.remove(name, expected)?;
        read(&value).ok_or_else(|| self.refusal(name, &value, expected))
    }

    /// Take a finite number.
    ///
    /// # Errors
    /// [`Error::Network`] where the field is missing, or something else.
    pub fn real(&mut self, name: &str) -> Result<f64> {
        self.take(name, "a finite number", Value::real)
    }

    /// Take a finite number that is not negative.
    ///
    /// # Errors
    /// [`Error::Network`] where the field is missing, or something else.
    pub fn size(&mut self, name: &str) -> Result<f64> {
        self.take(name, "a finite number >= 0", |value| value.real().filter(|size| *size >= 0.0))
    }

    /// Take a truth value.
    ///
    /// # Errors
    /// [`Error::Network`] where the field is missing, or something else.
    pub fn flag(&mut self, name: &str) -> Result<bool> {
        self.take(name, "True or False", Value::flag)
    }

    /// Take the field `layers`.
    ///
    /// # Errors
    /// [`Error::Network`] where the field is missing, or something else.
    pub fn layers(&mut self) -> Result<Arc<[Self]>> {
        const NAME: &str = "layers";
        const EXPECTED: &str = "a list of at least one layer";
        match self.remove(NAME, EXPECTED)? {
            Value::Layers(layers) => Ok(layers),
            other => Err(self.refusal(NAME, &other, EXPECTED)),
        }
    }

    /// See that all fields were taken.
    ///
    /// # Errors
    /// [`Error::Network`] for a field that the layer does not have.
    pub fn end(self) -> Result<()> {
        match self.fields.first() {
            None => Ok(()),
            Some((name, _)) => Err(Error::Network(format!("{} has no field '{name}'", self.kind))),
        }
    }

    fn remove(&mut self, name: &str, expected: &str) -> Result<Value> {
        let missing = || Error::Network(format!("{} needs the field '{name}': {expected}", self.kind));
        let place = self.fields.iter().position(|(known, _)| known == name).ok_or_else(missing)?;
        Ok(self.fields.swap_remove(place).1)
    }

    fn refusal(&self, name: &str, value: &Value, expected: &str) -> Error {
        Error::Network(format!("{}: {name} is {value}; expected {expected}", self.kind))
    }
}

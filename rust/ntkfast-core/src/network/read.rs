//! Layers from their descriptions: which fields each of them takes.

use super::{Layer, Layers, Training, spatial};
use crate::description::{Description, Value};
use crate::dual::Activation;
use crate::error::{Error, Result};
use crate::fitted::Function;
use std::collections::HashMap;
use std::sync::Arc;

impl Layer {
    /// The layer that is described.
    ///
    /// # Errors
    /// [`Error::Network`] for an unknown layer, and for fields that the layer does not have, that are missing, or that
    /// hold what it does not take.
    pub fn new(description: Description) -> Result<Self> {
        Reader::default().layer(description)
    }
}

#[derive(Default)]
struct Reader {
    /// The functions so far: equal ones share their fits.
    functions: Vec<Function>,
    /// The lists of layers so far, by their addresses, with what they became.
    lists: HashMap<*const Description, (Arc<[Description]>, Layers)>,
}

impl Reader {
    fn layer(&mut self, mut fields: Description) -> Result<Layer> {
        let layer = self.named(&mut fields)?;
        fields.end()?;
        Ok(layer)
    }

    fn named(&mut self, fields: &mut Description) -> Result<Layer> {
        Ok(match fields.kind() {
            "Serial" => Layer::Serial(self.layers(fields)?),
            "Residual" => Layer::Residual(self.layers(fields)?),
            "Sum" => Layer::Sum(self.layers(fields)?),
            "Product" => Layer::Product(self.layers(fields)?),
            "Concatenate" => Layer::Concatenate(self.layers(fields)?),
            "Identity" => Layer::Identity,
            "LayerNorm" => Layer::LayerNorm { eps: fields.size("eps")? },
            "Dropout" => Layer::Dropout { keep: probability(fields, "keep")? },
            "Dense" => {
                let Weights { width, w_std, b_std, training } = Weights::new(fields)?;
                Layer::Dense { width, w_std, b_std, training }
            }
            "Conv" => {
                let axes = spatial::axes(fields, "filter")?;
                let Weights { width, w_std, b_std, training } = Weights::new(fields)?;
                Layer::Conv { axes, width, w_std, b_std, training }
            }
            "AvgPool" => Layer::Pool { axes: spatial::axes(fields, "window")?, sum: false },
            "SumPool" => Layer::Pool { axes: spatial::axes(fields, "window")?, sum: true },
            "GlobalAvgPool" => Layer::GlobalPool { sum: false },
            "GlobalSumPool" => Layer::GlobalPool { sum: true },
            "Flatten" => Layer::Flatten,
            "Elementwise" => Layer::Elementwise(self.function(fields)?),
            _ => match Activation::new(fields) {
                Some(activation) => Layer::Activation(activation?),
                None => return Err(Error::Network(format!("there is no layer '{}'", fields.kind()))),
            },
        })
    }

    fn layers(&mut self, fields: &mut Description) -> Result<Layers> {
        let list = fields.layers()?;
        if let Some((_, known)) = self.lists.get(&list.as_ptr()) {
            return Ok(Arc::clone(known));
        }
        let layers: Layers = list.iter().map(|layer| self.layer(layer.clone())).collect::<Result<_>>()?;
        self.lists.insert(list.as_ptr(), (list, Arc::clone(&layers)));
        Ok(layers)
    }

    fn function(&mut self, fields: &mut Description) -> Result<Function> {
        let call = fields.take("fn", "a function", Value::function)?;
        let name = fields.take("name", "a text", |name| name.text().map(str::to_owned))?;
        let kinks = fields.take("kinks", "a list of finite numbers", |kinks| kinks.list(Value::real))?;
        let function = Function::new(name, kinks, call);
        if let Some(known) = self.functions.iter().find(|known| **known == function) {
            return Ok(known.clone());
        }
        self.functions.push(function.clone());
        Ok(function)
    }
}

/// The largest width that is accepted.
const WIDEST: u64 = 1_000_000_000_000;

/// What all layers with weights take.
struct Weights {
    width: Option<usize>,
    w_std: f64,
    b_std: Option<f64>,
    training: Training,
}

impl Weights {
    fn new(fields: &mut Description) -> Result<Self> {
        let width = |value: &Value| value.count().filter(|width| (1..=WIDEST).contains(&(*width as u64)));
        let deviation = |value: &Value| value.real().filter(|deviation| *deviation >= 0.0);
        let parameterization = |value: &Value| match value.text()? {
            "ntk" => Some(Training::Ntk),
            "standard" => Some(Training::Standard),
            _ => None,
        };
        let training = fields.take("parameterization", "'ntk' or 'standard'", parameterization)?;
        let trainable = fields.flag("trainable")?;
        Ok(Self {
            width: fields.take("width", "an integer from 1 to 1,000,000,000,000, or None", |value| {
                value.or_none(width)
            })?,
            w_std: fields.size("w_std")?,
            b_std: fields.take("b_std", "a finite number >= 0, or None", |value| value.or_none(deviation))?,
            training: if trainable { training } else { Training::Frozen },
        })
    }
}

fn probability(fields: &mut Description, name: &str) -> Result<f64> {
    let read = |value: &Value| value.real().filter(|keep| *keep > 0.0 && *keep <= 1.0);
    fields.take(name, "a probability, above 0 and at most 1", read)
}

//! Registers: where a step's value is kept until no later step reads it.

use super::{Program, Step};

impl Program {
    /// The same program with a register for each value: register 0 for the input, and i + 1 for the result of step i.
    pub(crate) fn with_all_values(&self) -> Self {
        let mut value_in = vec![0; self.registers];
        let mut steps = self.steps.clone();
        for (index, step) in steps.iter_mut().enumerate() {
            step.inputs = step.inputs.map(|register| value_in[register]);
            value_in[step.output] = index + 1;
            step.output = index + 1;
        }
        let outputs = self.outputs.iter().map(|&register| value_in[register]).collect();
        Self { registers: steps.len() + 1, steps, outputs, ..self.clone() }
    }
}

/// A program of steps whose registers are values so far: each register is used again after its value's last use.
pub(super) fn allocate(mut steps: Vec<Step>, slots: usize, outputs: &[usize], spatial: bool) -> Program {
    let mut last_use = vec![0; steps.len() + 1];
    for (index, step) in steps.iter().enumerate() {
        for value in step.inputs {
            last_use[value] = index;
        }
    }
    for &output in outputs {
        last_use[output] = steps.len();
    }

    let mut register_of = vec![0; steps.len() + 1];
    let mut free: Vec<usize> = Vec::new();
    let mut registers = 1;
    for (index, step) in steps.iter_mut().enumerate() {
        let [first, second] = step.inputs;
        let mut freed = Vec::new();
        for (position, value) in [first, second].into_iter().enumerate() {
            if last_use[value] == index && (position == 0 || second != first) {
                freed.push(register_of[value]);
            }
        }
        step.inputs = step.inputs.map(|value| register_of[value]);
        // What mixes positions reads on after the first of its results.
        let early = step.op.is_spatial();
        if !early {
            free.append(&mut freed);
        }
        let register = free.pop().unwrap_or_else(|| {
            registers += 1;
            registers - 1
        });
        free.append(&mut freed);
        register_of[step.output] = register;
        step.output = register;
    }
    let outputs = outputs.iter().map(|&value| register_of[value]).collect();
    Program { steps, registers, slots, outputs, spatial }
}

//! Drawing: SVG, axes, and the look of things. Knows nothing of what is drawn.

pub mod axis;
pub mod plot;
pub mod style;
pub mod svg;

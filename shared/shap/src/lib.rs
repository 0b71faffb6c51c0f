//! shap

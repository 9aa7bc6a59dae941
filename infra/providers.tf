provider "google" {
  project = var.project_id
  region  = var.region

  # budgets are asked for on behalf of a project
  billing_project       = var.project_id
  user_project_override = true

  default_labels = merge({ app = var.name }, var.labels)
}

data "google_project" "this" {
  project_id = var.project_id
}

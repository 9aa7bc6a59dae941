resource "google_project_service" "api" {
  for_each = toset(concat(
    [
      "artifactregistry.googleapis.com",
      "cloudbuild.googleapis.com",
      "cloudscheduler.googleapis.com",
      "cloudtasks.googleapis.com",
      "iam.googleapis.com",
      "iamcredentials.googleapis.com", # signs the links to pictures
      "logging.googleapis.com",
      "monitoring.googleapis.com",
      "run.googleapis.com",
      "secretmanager.googleapis.com",
    ],
    local.has_bucket ? ["storage.googleapis.com"] : [],
    local.has_sql ? ["compute.googleapis.com", "servicenetworking.googleapis.com", "sqladmin.googleapis.com"] : [],
    var.budget == null ? [] : ["billingbudgets.googleapis.com"],
  ))

  service            = each.key
  disable_on_destroy = false # others in the project may use it
}

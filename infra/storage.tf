resource "google_storage_bucket" "pictures" {
  count = local.has_bucket ? 1 : 0

  name     = "${var.project_id}-${var.name}-pictures"
  location = var.region

  uniform_bucket_level_access = true
  public_access_prevention    = "enforced" # clients get signed links

  # Retention is the service's, which knows what shares a picture; the bucket only tidies after it.
  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }
    condition {
      age = 1 # days
    }
  }

  soft_delete_policy {
    retention_duration_seconds = 604800 # a week to undo a mistake
  }

  dynamic "cors" {
    for_each = length(var.upload_origins) > 0 ? [var.upload_origins] : []
    content {
      origin          = cors.value
      method          = ["PUT"]
      response_header = ["Content-Type", "x-goog-if-generation-match", "x-goog-content-length-range"]
      max_age_seconds = 3600
    }
  }

  dynamic "encryption" {
    for_each = var.kms_key == null ? [] : [var.kms_key]
    content {
      default_kms_key_name = encryption.value
    }
  }

  depends_on = [google_project_service.api]
}

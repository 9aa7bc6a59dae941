resource "google_artifact_registry_repository" "images" {
  repository_id = var.name
  location      = var.region
  format        = "DOCKER"
  description   = "the services' images"
  kms_key_name  = var.kms_key

  docker_config {
    immutable_tags = false # the build cache's tag moves; what is deployed is named by digest
  }

  cleanup_policies {
    id     = "keep-what-one-may-roll-back-to"
    action = "KEEP"
    most_recent_versions {
      keep_count = 20
    }
  }

  cleanup_policies {
    id     = "drop-the-rest"
    action = "DELETE"
    condition {
      older_than = "2592000s" # 30 days
    }
  }

  depends_on = [google_project_service.api]
}

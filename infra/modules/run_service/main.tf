# A Cloud Run service of ours: billed by request, probed at /health, its image Cloud Build's affair.

resource "google_cloud_run_v2_service" "this" {
  name                = var.name
  location            = var.location
  ingress             = var.ingress
  deletion_protection = var.deletion_protection
  custom_audiences    = [var.url]

  # over all revisions: while one is being replaced, both share the database's connections
  scaling {
    min_instance_count = var.scale.min_instances
    max_instance_count = var.scale.max_instances
  }

  template {
    service_account                  = var.service_account
    timeout                          = "${var.scale.timeout_s}s"
    max_instance_request_concurrency = var.scale.concurrency
    encryption_key                   = var.kms_key

    scaling {
      max_instance_count = var.scale.max_instances
    }

    dynamic "volumes" {
      for_each = var.files
      content {
        name = volumes.key
        secret {
          secret = volumes.value.secret
          items {
            path    = volumes.value.file
            version = "latest"
          }
        }
      }
    }

    dynamic "vpc_access" {
      for_each = var.subnetwork == null ? [] : [var.subnetwork]
      content {
        egress = "PRIVATE_RANGES_ONLY" # the database; all else goes out by itself
        network_interfaces {
          subnetwork = vpc_access.value
        }
      }
    }

    containers {
      image = "us-docker.pkg.dev/cloudrun/container/hello" # until the first delivery

      resources {
        limits            = { cpu = tostring(var.scale.cpu), memory = var.scale.memory }
        cpu_idle          = true # no CPU between requests, and none to pay: nothing may need it then
        startup_cpu_boost = true
      }

      dynamic "env" {
        for_each = var.env
        content {
          name  = env.key
          value = env.value
        }
      }

      dynamic "env" {
        for_each = var.secrets
        content {
          name = env.key
          value_source {
            secret_key_ref {
              secret  = env.value
              version = "latest" # as it is when an instance starts
            }
          }
        }
      }

      dynamic "volume_mounts" {
        for_each = var.files
        content {
          name       = volume_mounts.key
          mount_path = volume_mounts.value.path
        }
      }

      startup_probe {
        period_seconds    = 2
        failure_threshold = 30
        http_get {
          path = "/health"
        }
      }

      liveness_probe {
        period_seconds    = 15
        timeout_seconds   = 10
        failure_threshold = 4
        http_get {
          path = "/health"
        }
      }
    }
  }

  lifecycle {
    ignore_changes = [
      template[0].containers[0].image,
      template[0].revision, # no name is ours: Cloud Run gives one to every delivery
      client,
      client_version,
      traffic,
    ]
  }
}

# A delivery runs it to its end before any traffic moves. Never at a container's start: instances race.
resource "google_cloud_run_v2_job" "migrate" {
  name                = "${var.name}-migrate"
  location            = var.region
  deletion_protection = var.database.deletion_protection

  template {
    task_count = 1

    template {
      service_account = google_service_account.identity["migrator"].email
      timeout         = "600s"
      max_retries     = 0 # one that failed wants to be looked at
      encryption_key  = var.kms_key

      dynamic "volumes" {
        for_each = local.ledger_files
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
        for_each = local.subnetwork == null ? [] : [local.subnetwork]
        content {
          egress = "PRIVATE_RANGES_ONLY"
          network_interfaces {
            subnetwork = vpc_access.value
          }
        }
      }

      containers {
        image   = "us-docker.pkg.dev/cloudrun/container/job" # until the first delivery
        command = ["python"]
        args    = ["-m", "alembic", "upgrade", "head"] # by hand also others: the README makes an account so

        resources {
          limits = { cpu = "1", memory = "512Mi" }
        }

        dynamic "env" {
          for_each = merge(local.database_env["migrator"], local.ledger_logins)
          content {
            name  = env.key
            value = env.value
          }
        }

        dynamic "volume_mounts" {
          for_each = local.ledger_files
          content {
            name       = volume_mounts.key
            mount_path = volume_mounts.value.path
          }
        }

        dynamic "env" {
          for_each = local.database_secrets
          content {
            name = env.key
            value_source {
              secret_key_ref {
                secret  = google_secret_manager_secret.secret[env.value].secret_id
                version = "latest"
              }
            }
          }
        }
      }
    }
  }

  lifecycle {
    ignore_changes = [template[0].template[0].containers[0].image, client, client_version]
  }

  depends_on = [google_project_service.api, google_secret_manager_secret_iam_member.reader, terraform_data.secrets_written]
}

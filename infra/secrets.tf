# Values are write-only: Terraform hands them on and neither plan nor state holds them.

locals {
  secrets = merge(
    { "link-signing-key" = { readers = ["dispatcher", "worker"] } },
    local.has_supabase ? { "supabase-key" = { readers = ["dispatcher", "worker"] } } : {},
    local.has_sql ? { "ledger-ca" = { readers = local.ledger_users } } : { "database-url" = { readers = local.ledger_users } },
  )
}

resource "google_secret_manager_secret" "secret" {
  for_each = local.secrets

  secret_id = "${var.name}-${each.key}"

  replication {
    auto {
      dynamic "customer_managed_encryption" {
        for_each = var.kms_key == null ? [] : [var.kms_key]
        content {
          kms_key_name = customer_managed_encryption.value
        }
      }
    }
  }

  depends_on = [google_project_service.api]
}

# No secret at all, but a file that services find where libpq wants one.
resource "google_secret_manager_secret_version" "ledger_ca" {
  count = local.has_sql ? 1 : 0

  secret      = google_secret_manager_secret.secret["ledger-ca"].id
  secret_data = join("\n", google_sql_database_instance.ledger[0].server_ca_cert[*].cert)

  lifecycle {
    create_before_destroy = true
  }
}

ephemeral "random_password" "link_signing_key" {
  length  = 64
  special = false
}

resource "google_secret_manager_secret_version" "link_signing_key" {
  secret                 = google_secret_manager_secret.secret["link-signing-key"].id
  secret_data_wo         = ephemeral.random_password.link_signing_key.result
  secret_data_wo_version = var.link_signing_key_version

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_secret_manager_secret_version" "supabase_key" {
  count = local.has_supabase ? 1 : 0

  secret                 = google_secret_manager_secret.secret["supabase-key"].id
  secret_data_wo         = var.supabase_key
  secret_data_wo_version = var.supabase_key_version

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_secret_manager_secret_version" "database_url" {
  count = local.has_sql ? 0 : 1

  secret                 = google_secret_manager_secret.secret["database-url"].id
  secret_data_wo         = var.database_url
  secret_data_wo_version = var.database_url_version

  lifecycle {
    create_before_destroy = true
  }
}

# A service that reads a secret without a version does not start.
resource "terraform_data" "secrets_written" {
  input = concat(
    [google_secret_manager_secret_version.link_signing_key.id],
    google_secret_manager_secret_version.supabase_key[*].id,
    google_secret_manager_secret_version.database_url[*].id,
    google_secret_manager_secret_version.ledger_ca[*].id,
  )
}

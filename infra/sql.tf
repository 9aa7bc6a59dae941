resource "random_id" "sql" {
  count = local.has_sql ? 1 : 0

  byte_length = 3 # a deleted instance's name stays blocked for a week
}

resource "google_sql_database_instance" "ledger" {
  count = local.has_sql ? 1 : 0

  name                = coalesce(var.database.restored_as, "${var.name}-ledger-${random_id.sql[0].hex}")
  region              = var.region
  database_version    = "POSTGRES_18"
  encryption_key_name = var.kms_key
  deletion_protection = var.database.deletion_protection

  settings {
    edition                     = "ENTERPRISE"
    tier                        = var.database.tier
    availability_type           = var.database.high_availability ? "REGIONAL" : "ZONAL"
    disk_type                   = "PD_SSD"
    disk_size                   = var.database.disk_gb
    disk_autoresize             = true
    deletion_protection_enabled = var.database.deletion_protection

    ip_configuration {
      ipv4_enabled    = false
      private_network = google_compute_network.private[0].id
      ssl_mode        = "ENCRYPTED_ONLY"             # the server shows its certificate, the client a token
      server_ca_mode  = "GOOGLE_MANAGED_INTERNAL_CA" # an authority of its own, which proves the instance
    }

    backup_configuration {
      enabled                        = true
      point_in_time_recovery_enabled = true
      start_time                     = "02:00"
      transaction_log_retention_days = 7

      backup_retention_settings {
        retained_backups = var.database.backups_kept
      }
    }

    maintenance_window {
      day          = 7 # Sunday
      hour         = 3
      update_track = "stable"
    }

    insights_config {
      query_insights_enabled = true
    }

    database_flags {
      name  = "max_connections"
      value = tostring(var.database.max_connections)
    }

    # statements are not logged, but for changes of tables: they hold what clients sent
    database_flags {
      name  = "cloudsql.iam_authentication"
      value = "on"
    }

    database_flags {
      name  = "cloudsql.enable_pgaudit"
      value = "on"
    }

    database_flags {
      name  = "log_checkpoints"
      value = "on"
    }

    database_flags {
      name  = "log_connections"
      value = "on"
    }

    database_flags {
      name  = "log_disconnections"
      value = "on"
    }

    database_flags {
      name  = "log_hostname"
      value = "on"
    }

    database_flags {
      name  = "log_lock_waits"
      value = "on"
    }

    database_flags {
      name  = "log_min_error_statement"
      value = "error"
    }

    database_flags {
      name  = "log_min_messages"
      value = "error"
    }

    database_flags {
      name  = "log_statement"
      value = "ddl"
    }
  }

  depends_on = [google_service_networking_connection.sql]
}

resource "google_sql_database" "ledger" {
  count = local.has_sql ? 1 : 0

  name     = "colorway"
  instance = google_sql_database_instance.ledger[0].name
}

# The migrator owns the tables, and grants the services rows and nothing else (see run_migrate.tf).
resource "google_sql_user" "login" {
  for_each = local.has_sql ? toset(local.ledger_users) : toset([])

  name           = local.database_login[each.key]
  instance       = google_sql_database_instance.ledger[0].name
  type           = "CLOUD_IAM_SERVICE_ACCOUNT"
  database_roles = each.key == "migrator" ? ["cloudsqlsuperuser"] : []
}

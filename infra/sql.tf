resource "random_id" "sql" {
  count = local.has_sql ? 1 : 0

  byte_length = 3 # a deleted instance's name stays blocked for a week
}

resource "google_sql_database_instance" "ledger" {
  count = local.has_sql ? 1 : 0

  name                = "${var.name}-ledger-${random_id.sql[0].hex}"
  region              = var.region
  database_version    = "POSTGRES_17"
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
    connector_enforcement       = "REQUIRED" # who connects has an identity, and both ends a certificate

    ip_configuration {
      ipv4_enabled    = false
      private_network = google_compute_network.private[0].id
      ssl_mode        = "TRUSTED_CLIENT_CERTIFICATE_REQUIRED"
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

    dynamic "database_flags" {
      for_each = local.database_flags
      content {
        name  = database_flags.key
        value = database_flags.value
      }
    }
  }

  depends_on = [google_service_networking_connection.sql]
}

locals {
  database_flags = {
    "cloudsql.iam_authentication" = "on"
    "cloudsql.enable_pgaudit"     = "on"
    "max_connections"             = tostring(var.database.max_connections)
    "log_checkpoints"             = "on"
    "log_connections"             = "on"
    "log_disconnections"          = "on"
    "log_duration"                = "off" # on, it would be a line per statement
    "log_hostname"                = "on"
    "log_lock_waits"              = "on"
    "log_min_duration_statement"  = "-1" # statements may hold what clients sent
    "log_min_error_statement"     = "error"
    "log_min_messages"            = "error"
    "log_statement"               = "ddl"
    "log_temp_files"              = "0"
  }
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

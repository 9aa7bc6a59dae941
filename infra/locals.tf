locals {
  # Cloud Run's URLs are known before the services are, so each can be told its own and the other's
  url_of         = { for service in ["dispatcher", "worker"] : service => "https://${var.name}-${service}-${data.google_project.this.number}.${var.region}.run.app" }
  dispatcher_url = local.url_of["dispatcher"]
  worker_url     = local.url_of["worker"]

  # what is there only in some environments
  has_bucket   = var.image_store == "gcs"
  has_supabase = var.image_store == "supabase"
  has_sql      = var.database.managed

  # one process per instance: its request threads, the heartbeat and the drain
  worker_pool = var.worker.threads + 2

  image_store = local.has_bucket ? "gs://${google_storage_bucket.pictures[0].name}" : "supabase://${var.supabase.bucket}"

  # what both services must agree on
  shared_env = merge(
    {
      HOST                 = "0.0.0.0"
      GOOGLE_CLOUD_PROJECT = var.project_id # so that log lines name their traces in full
      IMAGE_STORE          = local.image_store
      WORKER_URL           = local.worker_url
    },
    local.has_supabase ? { SUPABASE_URL = var.supabase.url } : {},
  )
  shared_secrets = merge(
    { LINK_SIGNING_KEY = "link-signing-key" },
    local.has_supabase ? { SUPABASE_KEY = "supabase-key" } : {},
    local.database_secrets,
  )

  # The login is the identity itself, and its token the password (colorway/ledger/iam_login.py). The
  # instance has a certificate authority of its own, so verify-ca is proof enough of which one it is.
  database_login = { for who in local.ledger_users : who => trimsuffix(google_service_account.identity[who].email, ".gserviceaccount.com") }
  database_env = {
    for who in local.ledger_users : who => local.has_sql ? {
      DATABASE_URL = "postgresql+psycopg://${urlencode(local.database_login[who])}@${google_sql_database_instance.ledger[0].private_ip_address}/${google_sql_database.ledger[0].name}?sslmode=verify-ca&sslrootcert=${local.ledger_ca.path}/${local.ledger_ca.file}"
    } : {}
  }
  ledger_ca        = { path = "/etc/ledger", file = "server-ca.pem" }
  database_secrets = local.has_sql ? {} : { DATABASE_URL = "database-url" }
  ledger_users     = ["dispatcher", "worker", "migrator"]

  subnetwork = local.has_sql ? google_compute_subnetwork.services[0].id : null

  ledger_files = local.has_sql ? {
    ledger-ca = merge(local.ledger_ca, { secret = google_secret_manager_secret.secret["ledger-ca"].secret_id })
  } : {}

  # whom the migration grants the tables' rows
  ledger_logins = local.has_sql ? {
    LEDGER_LOGINS = join(",", [for who in ["dispatcher", "worker"] : google_sql_user.login[who].name])
  } : {}
}

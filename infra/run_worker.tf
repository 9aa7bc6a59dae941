module "worker" {
  source = "./modules/run_service"

  name                = "${var.name}-worker"
  location            = var.region
  url                 = local.worker_url
  ingress             = "INGRESS_TRAFFIC_INTERNAL_ONLY" # Cloud Tasks of this project comes in
  service_account     = google_service_account.identity["worker"].email
  scale               = var.worker
  subnetwork          = local.subnetwork
  kms_key             = var.kms_key
  deletion_protection = var.database.deletion_protection

  env = merge(local.shared_env, local.database_env["worker"], {
    OIDC_CALLERS         = google_service_account.identity["task-invoker"].email
    THREADS              = tostring(var.worker.threads)
    TIME_BUDGET          = tostring(var.worker.time_budget_s)
    MAX_PARALLEL_RENDERS = tostring(ceil(var.worker.cpu))
    MAX_PARALLEL_UPLOADS = tostring(var.worker.uploads)
  })
  secrets = { for variable, secret in local.shared_secrets : variable => google_secret_manager_secret.secret[secret].secret_id }
  files   = local.ledger_files

  depends_on = [google_project_service.api, google_secret_manager_secret_iam_member.reader, terraform_data.secrets_written]
}

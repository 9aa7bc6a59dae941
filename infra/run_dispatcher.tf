module "dispatcher" {
  source = "./modules/run_service"

  name                = "${var.name}-dispatcher"
  location            = var.region
  url                 = local.dispatcher_url
  ingress             = "INGRESS_TRAFFIC_ALL"
  service_account     = google_service_account.identity["dispatcher"].email
  scale               = var.dispatcher
  subnetwork          = local.subnetwork
  kms_key             = var.kms_key
  deletion_protection = var.database.deletion_protection

  env = merge(local.shared_env, local.database_env["dispatcher"], {
    DISPATCHER_URL    = local.dispatcher_url
    TASK_QUEUES       = local.task_queues
    TASK_CALLER       = google_service_account.identity["task-invoker"].email
    OIDC_CALLERS      = join(",", [for who in ["task-invoker", "scheduler"] : google_service_account.identity[who].email])
    DISPATCH_DEADLINE = tostring(var.dispatch_deadline_s)
    THREADS           = tostring(var.dispatcher.threads)
    DATABASE_POOL     = tostring(var.dispatcher.database_pool)
  })
  secrets = { for variable, secret in local.shared_secrets : variable => google_secret_manager_secret.secret[secret].secret_id }
  files   = local.ledger_files

  depends_on = [google_project_service.api, google_secret_manager_secret_iam_member.reader, terraform_data.secrets_written]
}

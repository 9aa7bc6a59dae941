# Who may do what. Grants lie on the resource; on the project only what cannot lie elsewhere. A test
# holds this file to an allow-list (tests/infra/policy.py).

locals {
  member = { for who, account in google_service_account.identity : who => account.member }
}

# --- the dispatcher fills the queues, and tasks carry another identity's token ----------------------

resource "google_cloud_tasks_queue_iam_member" "dispatcher" {
  for_each = { for grant in setproduct(keys(var.queues), ["enqueuer", "viewer"]) : join("-", grant) => { queue = grant[0], role = grant[1] } }

  name     = google_cloud_tasks_queue.queue[each.value.queue].name
  location = var.region
  role     = "roles/cloudtasks.${each.value.role}"
  member   = local.member["dispatcher"]
}

resource "google_service_account_iam_member" "acts_as_task_invoker" {
  for_each = toset(["dispatcher", "deployer"]) # the deployer for its smoke queue

  service_account_id = google_service_account.identity["task-invoker"].name
  role               = "roles/iam.serviceAccountUser"
  member             = local.member[each.key]
}

resource "google_cloud_run_v2_service_iam_member" "task_invoker_calls_worker" {
  name     = module.worker.name
  location = var.region
  role     = "roles/run.invoker"
  member   = local.member["task-invoker"]
}

# --- the dispatcher is public, and checks every caller itself ---------------------------------------

resource "google_cloud_run_v2_service_iam_member" "everybody_calls_dispatcher" {
  name     = module.dispatcher.name
  location = var.region
  role     = "roles/run.invoker"
  member   = "allUsers"
}

# --- pictures ---------------------------------------------------------------------------------------

resource "google_storage_bucket_iam_member" "pictures" {
  for_each = local.has_bucket ? toset(["dispatcher", "worker"]) : toset([])

  bucket = google_storage_bucket.pictures[0].name
  role   = "roles/storage.objectUser"
  member = local.member[each.key]
}

resource "google_service_account_iam_member" "dispatcher_signs_links" {
  count = local.has_bucket ? 1 : 0

  service_account_id = google_service_account.identity["dispatcher"].name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = local.member["dispatcher"]
}

# --- the ledger -------------------------------------------------------------------------------------

resource "google_project_iam_member" "ledger" {
  for_each = local.has_sql ? toset(local.ledger_users) : toset([])

  project = var.project_id
  role    = "roles/cloudsql.instanceUser" # to log in; there is no proxy, so nobody needs cloudsql.client
  member  = local.member[each.key]

  condition {
    title      = "the ledger's instance alone"
    expression = "resource.name == 'projects/${var.project_id}/instances/${google_sql_database_instance.ledger[0].name}' && resource.service == 'sqladmin.googleapis.com'"
  }
}

# --- secrets ----------------------------------------------------------------------------------------

resource "google_secret_manager_secret_iam_member" "reader" {
  for_each = merge([for secret, facts in local.secrets : { for who in facts.readers : "${who}-${secret}" => { who = who, secret = secret } }]...)

  secret_id = google_secret_manager_secret.secret[each.value.secret].id
  role      = "roles/secretmanager.secretAccessor"
  member    = local.member[each.value.who]
}

# --- the deployer -----------------------------------------------------------------------------------

resource "google_artifact_registry_repository_iam_member" "deployer_pushes" {
  repository = google_artifact_registry_repository.images.name
  location   = var.region
  role       = "roles/artifactregistry.writer"
  member     = local.member["deployer"]
}

resource "google_cloud_run_v2_service_iam_member" "deployer" {
  for_each = { dispatcher = module.dispatcher.name, worker = module.worker.name }

  name     = each.value
  location = var.region
  role     = "roles/run.developer"
  member   = local.member["deployer"]
}

resource "google_cloud_run_v2_job_iam_member" "deployer" {
  name     = google_cloud_run_v2_job.migrate.name
  location = var.region
  role     = "roles/run.developer"
  member   = local.member["deployer"]
}

resource "google_service_account_iam_member" "deployer_acts_as" {
  for_each = toset(["dispatcher", "worker", "migrator"])

  service_account_id = google_service_account.identity[each.key].name
  role               = "roles/iam.serviceAccountUser"
  member             = local.member["deployer"]
}

resource "google_cloud_tasks_queue_iam_member" "deployer_smokes" {
  for_each = toset(["enqueuer", "viewer", "taskDeleter"])

  name     = google_cloud_tasks_queue.queue["smoke"].name
  location = var.region
  role     = "roles/cloudtasks.${each.key}"
  member   = local.member["deployer"]
}

resource "google_project_iam_member" "deployer_logs" {
  for_each = toset(["logWriter", "viewer"]) # its own lines; and a new revision's, before it gets all traffic

  project = var.project_id
  role    = "roles/logging.${each.key}"
  member  = local.member["deployer"]
}

# The trigger of cloudbuild.yaml, which gets every name from here.
locals {
  substitutions = {
    _REGION         = var.region
    _IMAGES         = "${var.region}-docker.pkg.dev/${var.project_id}/${google_artifact_registry_repository.images.repository_id}"
    _DISPATCHER     = module.dispatcher.name
    _DISPATCHER_URL = local.dispatcher_url
    _WORKER         = module.worker.name
    _WORKER_URL     = local.worker_url
    _MIGRATE_JOB    = google_cloud_run_v2_job.migrate.name
    _SMOKE_QUEUE    = google_cloud_tasks_queue.queue["smoke"].name
    _TASK_INVOKER   = google_service_account.identity["task-invoker"].email
  }
}

resource "google_cloudbuild_trigger" "deliver" {
  count = var.repository == null ? 0 : 1

  name            = "${var.name}-deliver"
  location        = var.region
  description     = "test, build, migrate, deploy step by step"
  filename        = "cloudbuild.yaml"
  service_account = google_service_account.identity["deployer"].id
  substitutions   = local.substitutions

  repository_event_config {
    repository = var.repository.id
    push {
      branch = var.repository.branch
    }
  }

  depends_on = [google_project_service.api]
}

# The queue never gives up and the ledger decides: what exhausts its attempts is deleted silently.
# A fourth queue is the deployer's alone, which smokes a new worker through it.

resource "random_id" "queues" {
  byte_length = 3 # a deleted queue's name stays blocked for days
}

locals {
  smoke_queue = { max_concurrent_dispatches = 1, max_dispatches_per_second = 1 }
  queues      = merge(var.queues, { smoke = local.smoke_queue })
  queue_names = { for kind in keys(local.queues) : kind => "${var.name}-${kind}-${random_id.queues.hex}" }
  dispatches  = sum(values(local.queues)[*].max_concurrent_dispatches)
  task_queues = "projects/${var.project_id}/locations/${var.region}/queues/${var.name}-{priority}-${random_id.queues.hex}"
}

resource "google_cloud_tasks_queue" "queue" {
  for_each = local.queues

  name     = local.queue_names[each.key]
  location = var.region

  rate_limits {
    max_concurrent_dispatches = each.value.max_concurrent_dispatches
    max_dispatches_per_second = each.value.max_dispatches_per_second
  }

  retry_config {
    max_attempts  = -1 # and no max_retry_duration: for ever
    min_backoff   = "2s"
    max_backoff   = "60s"
    max_doublings = 5
  }

  stackdriver_logging_config {
    sampling_ratio = 0.01
  }

  lifecycle {
    prevent_destroy = true
  }

  depends_on = [google_project_service.api]
}

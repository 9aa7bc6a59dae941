# --- where -----------------------------------------------------------------------------------------

variable "project_id" {
  description = "the Google Cloud project, one for each environment"
  type        = string
}

variable "region" {
  description = "where everything runs and lies"
  type        = string
  default     = "europe-west1"
}

variable "name" {
  description = "what every resource's name begins with"
  type        = string
  default     = "colorway"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,15}$", var.name))
    error_message = "The name has 3 to 16 lower-case letters, digits and hyphens: accounts' names allow no more."
  }
}

variable "labels" {
  description = "labels of every resource that can have some"
  type        = map(string)
  default     = {}
}

# --- how much --------------------------------------------------------------------------------------

variable "dispatcher" {
  description = "the public service: takes jobs, reports on them"
  type = object({
    cpu           = optional(number, 1)
    memory        = optional(string, "1Gi")
    min_instances = optional(number, 0)
    max_instances = number
    concurrency   = optional(number, 100) # requests of one instance at once
    threads       = optional(number, 128)
    database_pool = optional(number, 10)
    timeout_s     = optional(number, 300)
  })
}

variable "worker" {
  description = "the private service: renders one colorway per request"
  type = object({
    cpu           = optional(number, 2)
    memory        = optional(string, "1Gi")
    min_instances = optional(number, 0)
    max_instances = number
    concurrency   = optional(number, 4) # slots of one instance
    uploads       = optional(number, 2) # of them at once; the others render or wait
    threads       = optional(number, 6)
    time_budget_s = optional(number, 480)
    timeout_s     = optional(number, 540)
  })
}

variable "dispatch_deadline_s" {
  description = "the queue gives up waiting for the worker's answer after this, seconds"
  type        = number
  default     = 600
}

variable "queues" {
  description = "dispatches at once and per second, by priority; the worker's slots are shared out among them"
  type = map(object({
    max_concurrent_dispatches = number
    max_dispatches_per_second = optional(number, 500) # Cloud Tasks' own limit
  }))

  validation {
    condition     = toset(keys(var.queues)) == toset(["high", "normal", "low"])
    error_message = "There is one queue for each priority: high, normal and low."
  }
}

# --- the ledger ------------------------------------------------------------------------------------

variable "database" {
  description = "Cloud SQL's Postgres, or, not managed, a Postgres elsewhere whose URL is in `database_url`"
  type = object({
    managed             = bool
    max_connections     = number # what Postgres allows, or what the plan elsewhere does
    tier                = optional(string, "db-custom-1-3840")
    disk_gb             = optional(number, 20)
    high_availability   = optional(bool, false)
    backups_kept        = optional(number, 14)
    deletion_protection = optional(bool, true)
    restored_as         = optional(string) # a clone that has taken its place, see the README
  })
}

variable "database_url" {
  description = "SQLAlchemy URL of a Postgres that is not managed here; only where it is new or changed"
  type        = string
  default     = null
  ephemeral   = true
  sensitive   = true
}

variable "database_url_version" {
  description = "raise it to write `database_url` again"
  type        = number
  default     = 1
}

# --- pictures --------------------------------------------------------------------------------------

variable "image_store" {
  description = "where pictures lie: gcs, in a bucket made here, or supabase"
  type        = string
  default     = "gcs"

  validation {
    condition     = contains(["gcs", "supabase"], var.image_store)
    error_message = "Pictures lie in gcs or in supabase."
  }
}

variable "supabase" {
  description = "the project's URL and the bucket, where pictures lie in Supabase"
  type = object({
    url    = string
    bucket = string
  })
  default = null

  validation {
    condition     = (var.image_store == "supabase") == (var.supabase != null)
    error_message = "Give `supabase` where image_store is supabase, and nowhere else."
  }
}

variable "supabase_key" {
  description = "Supabase's secret key; only where it is new or changed"
  type        = string
  default     = null
  ephemeral   = true
  sensitive   = true
}

variable "supabase_key_version" {
  description = "raise it to write `supabase_key` again"
  type        = number
  default     = 1
}

variable "link_signing_key_version" {
  description = "raise it to make a new key; links signed with the old one end"
  type        = number
  default     = 1
}

variable "upload_origins" {
  description = "origins of web pages that may put pictures into upload slots"
  type        = list(string)
  default     = []
}

variable "kms_key" {
  description = "customer-managed key for bucket, database, secrets and images; null: Google's"
  type        = string
  default     = null
}

# --- who is told, and who deploys ------------------------------------------------------------------

variable "alert_emails" {
  description = "who is told when an alert opens"
  type        = set(string)
  default     = []
}

variable "budget" {
  description = "spending in a month, of which 50, 90 and 100 % are told"
  type = object({
    billing_account = string
    amount          = number
    currency        = optional(string, "USD")
  })
  default = null
}

variable "repository" {
  description = "a repository connected to Cloud Build, and the branch whose pushes are delivered"
  type = object({
    id     = string # projects/…/locations/…/connections/…/repositories/…
    branch = optional(string, "^main$")
  })
  default = null
}

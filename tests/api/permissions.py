"""Which scopes let a caller use which operation: the table of application note 0016, and what this server adds.

One line for each operation: its method, its path, and the sets of scopes any of which permits it. r is read, w is
write, d is delete, a is admin; "rw" means both together; "public" needs no credential. HEAD is as GET.
"""

PERMISSIONS = """
GET    /                                            r w d a
GET    /service                                     r w d a
POST   /service                                     a
GET    /service/storage-backends                    r w d a
GET    /service/profiles                            r a
GET    /service/profiles/{profileId}                r a
POST   /service/profiles/{profileId}                w a
GET    /service/webhooks                            r a
POST   /service/webhooks                            rw a
GET    /service/webhooks/{webhookId}                r a
PUT    /service/webhooks/{webhookId}                rw a
DELETE /service/webhooks/{webhookId}                w a
GET    /sources                                     r a
POST   /sources                                     w a
GET    /sources/{sourceId}                          r a
GET    /sources/{sourceId}/tags                     r a
GET    /sources/{sourceId}/tags/{name}              r a
PUT    /sources/{sourceId}/tags/{name}              w a
DELETE /sources/{sourceId}/tags/{name}              w a
GET    /sources/{sourceId}/description              r a
PUT    /sources/{sourceId}/description              w a
DELETE /sources/{sourceId}/description              w a
GET    /sources/{sourceId}/label                    r a
PUT    /sources/{sourceId}/label                    w a
DELETE /sources/{sourceId}/label                    w a
DELETE /sources/{sourceId}                          d a
POST   /sources/{sourceId}/restore                  d a
GET    /flows                                       r a
POST   /flows                                       w a
GET    /flows/{flowId}                              r a
PUT    /flows/{flowId}                              w a
DELETE /flows/{flowId}                              d a
POST   /flows/{flowId}/restore                      d a
GET    /flows/{flowId}/tags                         r a
GET    /flows/{flowId}/tags/{name}                  r a
PUT    /flows/{flowId}/tags/{name}                  w a
DELETE /flows/{flowId}/tags/{name}                  w a
GET    /flows/{flowId}/description                  r a
PUT    /flows/{flowId}/description                  w a
DELETE /flows/{flowId}/description                  w a
GET    /flows/{flowId}/label                        r a
PUT    /flows/{flowId}/label                        w a
DELETE /flows/{flowId}/label                        w a
GET    /flows/{flowId}/read_only                    r a
PUT    /flows/{flowId}/read_only                    w a
GET    /flows/{flowId}/flow_collection              r a
PUT    /flows/{flowId}/flow_collection              w a
DELETE /flows/{flowId}/flow_collection              w a
GET    /flows/{flowId}/max_bit_rate                 r a
PUT    /flows/{flowId}/max_bit_rate                 w a
DELETE /flows/{flowId}/max_bit_rate                 w a
GET    /flows/{flowId}/avg_bit_rate                 r a
PUT    /flows/{flowId}/avg_bit_rate                 w a
DELETE /flows/{flowId}/avg_bit_rate                 w a
GET    /flows/{flowId}/segments                     r a
POST   /flows/{flowId}/segments                     w a
DELETE /flows/{flowId}/segments                     d a
GET    /flows/{flowId}/segments/{timerange}/tags    r a
GET    /flows/{flowId}/segments/{timerange}/tags/{name} r a
PUT    /flows/{flowId}/segments/{timerange}/tags/{name} w a
DELETE /flows/{flowId}/segments/{timerange}/tags/{name} w a
POST   /flows/{flowId}/storage                      w a
POST   /objects/batch                               w a
GET    /objects/{objectId}                          r a
POST   /objects/{objectId}/instances                w a
DELETE /objects/{objectId}/instances                w a
GET    /flow-delete-requests                        a
GET    /flow-delete-requests/{request-id}           d a
GET    /compliance                                  a
GET    /jobs                                        a
POST   /jobs/retry                                  a
GET    /analytics                                   r a
GET    /analytics/views/{view}                      r a
GET    /analytics/questions/{question}              r a
GET    /analytics/sql                               r a
GET    /flows/{flowId}/output.m3u8                  r a
GET    /flows/{flowId}/thumbnail.jpg                r a
GET    /flows/{flowId}/timeline                     r a
GET    /sources/{sourceId}/output.m3u8              r a
GET    /flows/{flowId}/output.mpd                   r a
GET    /sources/{sourceId}/output.mpd               r a
POST   /oauth2/token                                public
GET    /.well-known/oauth-authorization-server      public
GET    /.well-known/jwks.json                       public
"""

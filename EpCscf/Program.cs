using WebRtcIms.EpCscf;

// The eP-CSCF: SIP over WebSocket for browsers, registration by token, calls between registered users.
return await ServiceHost.RunAsync("eP-CSCF", args, builder => builder.AddEpCscf(), app => app.MapEpCscf());

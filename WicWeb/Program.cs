using WebRtcIms.WicWeb;

// The one public origin: the page, the WWSF under /api, SIP over WebSocket under /sip.
return await ServiceHost.RunAsync("WicWeb", args, builder => builder.AddWicWeb(), app => app.UseWicWeb());

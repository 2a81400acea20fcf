using WebRtcIms.ServiceDefaults;
using WebRtcIms.Waf;

// The authorization server of figure X.5.3.2-1: it authenticates the WWSF and issues TURN tokens.
return await ServiceHost.RunAsync("WAF", args, builder => builder.AddWaf(), app => app.UseWaf());

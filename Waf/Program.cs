using WebRtcIms.ServiceDefaults;
using WebRtcIms.Waf;
using WebRtcIms.Waf.CommandLine;

// The authorization server of figure X.5.3.2-1: it authenticates the WWSF and issues TURN tokens.
// With words such as 'clients list' it is the command of operators.
return WafCommand.Is(args)
    ? await WafCommand.RunAsync(args)
    : await ServiceHost.RunAsync(
        "WAF", args, builder => builder.AddWaf(), app => app.UseWaf(), ports: "ASPNETCORE_URLS or Waf:Admin:Url");

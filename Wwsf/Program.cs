using WebRtcIms.Wwsf;

return await ServiceHost.RunAsync("WWSF", args, builder => builder.AddWwsf(), app => app.UseWwsf());

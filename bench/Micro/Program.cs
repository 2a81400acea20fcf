using BenchmarkDotNet.Running;

// dotnet run -c Release --project bench/Micro -- --filter '*' [--job short]
BenchmarkSwitcher.FromAssembly(typeof(WebRtcIms.Micro.Messages).Assembly).Run(args);

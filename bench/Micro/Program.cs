using BenchmarkDotNet.Running;

// dotnet run -c Release --project bench/Micro -- --filter '*' [--job short]
// Within this process: what BenchmarkDotNet would build for one of its own has to be named like the project file.
BenchmarkSwitcher.FromAssembly(typeof(WebRtcIms.Micro.Messages).Assembly).Run([.. args, "--inProcess"]);

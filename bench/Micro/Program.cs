using BenchmarkDotNet.Running;

// dotnet run -c Release --project bench/Micro -- --filter '*' [--job short]
// The benchmarks run in this process. For a separate process BenchmarkDotNet requires an assembly with the name of the project file.
BenchmarkSwitcher.FromAssembly(typeof(WebRtcIms.Micro.Messages).Assembly).Run([.. args, "--inProcess"]);

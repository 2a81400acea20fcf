using WebRtcIms.Conformance;

// Writes docs/conformance.md anew: dotnet run --project tests/Conformance
var repository = Report.FindRepository(Environment.CurrentDirectory);
var path = Report.PathIn(repository);
File.WriteAllText(path, Report.Generate(repository));
Console.WriteLine($"{path} is written.");

using WebRtcIms.Conformance;

// Writes the reports under docs/ anew: dotnet run --project tests/Conformance
var repository = Report.FindRepository(Environment.CurrentDirectory);
foreach (var (path, text) in Report.GenerateAll(repository))
{
    File.WriteAllText(Path.Combine(repository, path), text);
    Console.WriteLine($"{path} is written.");
}

namespace WebRtcIms.Interop.Tests.Differential;

/// <summary>One exchange that both servers are put through.</summary>
/// <param name="Clause">Where it is regulated.</param>
/// <param name="Name">What is sent, in the document.</param>
/// <param name="Run">Sends the request and describes the answer.</param>
/// <param name="Why">Why the two servers differ; null where they must not.</param>
internal sealed record DifferentialCase(string Clause, string Name, Func<RawClient, string> Run, string? Why = null);

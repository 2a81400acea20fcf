using Xunit.v3;

namespace WebRtcIms.Tests.Common;

/// <summary>
/// The clause that a test proves, such as <c>RFC8656-7.2-6</c>, or an abuse case, such as <c>ABUSE-35</c>.
/// docs/conformance.md is generated from these.
/// </summary>
[AttributeUsage(AttributeTargets.Method | AttributeTargets.Class, AllowMultiple = true)]
public sealed class RequirementAttribute(string clause) : Attribute, ITraitAttribute
{
    public string Clause { get; } = clause;

    public IReadOnlyCollection<KeyValuePair<string, string>> GetTraits() => [new("Requirement", Clause)];
}

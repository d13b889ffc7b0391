"""Claim `slq` (paper C, the tool of its limit): what products with H tell of f(H).

H is symmetric with D rows, v a vector other than 0, mu its spectral measure: the mass
(u_i . v)^2 at each eigenvalue lambda_i, so that v^T f(H) v = integral of f. k steps of
Lanczos' recurrence without a breakdown give k nodes theta_j with weights w_j |v|^2.

1. Gauss: the rule is exact for polynomials of degree <= 2k - 1, for every f after a
   breakdown. Radau, with one more node a outside the spectrum: exact for <= 2k.
   Proof: p(H) v = |v| Q p(T) e_1 for degree p < k, by induction, and v^T H^(2k-1) v is
   the form of H at H^(k-1) v. Radau: T is bordered so that a becomes a node.
2. Bounds: for H positive semi-definite and (-1)^m f^(m) >= 0 on [0, inf) for all m,

       Gauss, Radau at a >= lambda_max  <=  v^T f(H) v  <=  Radau at 0.

   Proof: the sign of the error terms of `theory.quadrature`.
3. For H positive semi-definite and f = 1 / (s + lambda), s > 0, the error of Gauss is
   |x - x_k|^2 in the norm of s + H, x_k the k-th iterate of conjugate gradients for
   (s + H) x = v. Hence it is at most
   4 r^2k v^T (s + H)^-1 v, r = (sqrt(K) - 1) / (sqrt(K) + 1), K = 1 + lambda_max / s:
   the steps needed grow as sqrt(lambda_max / s) at most, as they do where eigenvalues
   fill the interval (few outliers cost few steps); no number of probes replaces them.
4. Enclosure: the mass of node j lies in [theta_{j-1}, theta_{j+1}]; for monotone f and
   ANY symmetric H, v^T f(H) v is between the sums of the least and the largest f there.
5. Trace: for signs w, E w^T A w = tr A with the variance 2 sum_{i != j} A_ij^2; Hutch++
   is unbiased, and exact for each probe once its sketch has the rank of A. A zero row
   is an eigenvalue 0 and can be left out first. For ANY orthonormal Q,
   tr f(H) = sum q_i^T f(H) q_i + (D - q) E z^T f(H) z, z on the sphere orthogonal to Q;
   one step from a Ritz vector q_i encloses its term between Gauss and Radau at 0.
6. The products: H over the whole data set in batches of any sizes is the Hessian of the
   mean loss (closed forms of linear models).

1 to 4 are statements of exact arithmetic. With re-orthogonalisation in float64 they
hold to rounding, at every scale of H whose squares float64 holds: checked on matrices
of all kinds of spectra.
"""

from theory import exact_quadrature as quadrature
from theory import exact_traces as traces
from theory import slq_cases as cases
from theory.claim import Check, Claim, Control

CLAIM = Claim(
    label="slq",
    title="Lanczos quadrature is exact where it says so, and bounds what it leaves",
    statement="vᵀp(H)v = |v|² e₁ᵀp(T)e₁ for degree ≤ 2k−1; Gauss ≤ vᵀf(H)v ≤ Radau at "
    "0 for H ⪰ 0 and f completely monotone; E wᵀf(H)w = tr f(H)",
    source="Zhang et al. 2024, arXiv 2306.05857 (its estimator); Golub & Meurant 2010; "
    "Hutchinson 1990; Meyer et al. 2021, arXiv 2010.09649; deflation by one-step "
    "rules: ours",
    assumptions=(
        "H symmetric, the same at every step",
        "bounds: H positive semi-definite, f completely monotone",
        "enclosure: f monotone",
        "trace: independent signs; exact Hutch++: rank at most that of the sketch",
        "floating point: re-orthogonalised, relative tests, no smearing",
    ),
    checks=(
        Check("Gauss rule, exact", quadrature.gauss_moments, 0.0),
        Check("Radau rule and its node, exact", quadrature.radau_moments, 0.0),
        Check("after a breakdown every f, exact", quadrature.breakdown, 0.0),
        Check("Gauss and Radau as bounds, exact", quadrature.bounds, 0.0),
        Check("conjugate gradients, exact", quadrature.conjugate_gradients, 0.0),
        Check("Hutchinson over all signs, exact", traces.hutchinson, 0.0),
        Check("Hutch++ over all signs, exact", traces.hutch_plus_plus, 0.0),
        Check("Hutch++ of low rank, each probe, exact", traces.low_rank, 0.0),
        Check("dead coordinates left out, exact", traces.dead_rows, 0.0),
        Check("polynomials, all spectra and scales", cases.polynomials, 1e-10),
        Check("Gauss and Radau as bounds, all scales", cases.rules_as_bounds, 1e-10),
        Check("enclosure of monotone functions", cases.intervals_of_mass, 1e-10),
        Check("one-step rules of Ritz vectors", cases.deflated, 1e-10),
        Check("Hessians over batches, closed forms", cases.closed_forms, 1e-10),
    ),
    controls=(
        Control("degree 2k", quadrature.degree_too_high),
        Control("a matrix that is not symmetric", quadrature.not_symmetric),
        Control("another batch at each step", quadrature.changing_matrix),
        Control("bounds: both signs of eigenvalues", quadrature.indefinite_bounds),
        Control("bounds: f = λ / (s + λ)", quadrature.not_monotone),
        Control("enclosure: f a bump", cases.not_monotone),
        Control("probes of zeros and ones", traces.zeros_and_ones),
        Control("Hutch++: a sketch below the rank", traces.sketch_too_small),
        Control("no re-orthogonalisation: ghosts", cases.ghosts),
        Control("norms + 1e-6", cases.damped),
        Control("density smeared on a grid", cases.density),
    ),
)
